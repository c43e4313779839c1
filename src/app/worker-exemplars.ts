/** Exemplars of a node with several workers: prom-client adds up their samples and drops what names a trace. */
import type { Registry } from 'prom-client';
import type { ProcessMetrics } from './worker-messages.js';

interface Sample {
  metricName?: string;
  labels: object;
  exemplar?: { timestamp: number } | null;
}

/** Gives each sample of the aggregate the newest exemplar that a worker has for it. */
export async function addExemplars(aggregate: Registry, processes: readonly ProcessMetrics[]): Promise<void> {
  const newest = new Map<string, NonNullable<Sample['exemplar']>>();
  for (const sample of processes.flatMap(samplesOf)) {
    const key = keyOf(sample);
    if (sample.exemplar && sample.exemplar.timestamp > (newest.get(key)?.timestamp ?? 0)) newest.set(key, sample.exemplar);
  }
  for (const sample of samplesOf(await aggregate.getMetricsAsJSON())) {
    const exemplar = newest.size > 0 && newest.get(keyOf(sample));
    if (exemplar) sample.exemplar = exemplar;
  }
}

const samplesOf = (metrics: ProcessMetrics): Sample[] =>
  metrics.flatMap(({ type, values }) => (String(type) === 'histogram' ? (values as Sample[]) : []));

const keyOf = ({ metricName = '', labels }: Sample): string =>
  JSON.stringify([metricName, ...Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1))]);
