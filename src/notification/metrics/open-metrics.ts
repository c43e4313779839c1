/**
 * OpenMetrics. Unlike Prometheus' own text format it has exemplars: the trace of a sample. A reader that prefers it gets it.
 */
import { Registry, type MetricObjectWithValues, type MetricValue, type OpenMetricsContentType } from 'prom-client';

const TYPE = 'application/openmetrics-text';

/** @param accept the header of a request. @returns whether it prefers OpenMetrics to plain text */
export function prefersOpenMetrics(accept = ''): boolean {
  const weights = { open: 0, plain: 0 };
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = Number(parameters.find((one) => one.startsWith('q='))?.slice(2) ?? 1) || 0;
    if (type === TYPE) weights.open = Math.max(weights.open, weight);
    if (type === 'text/plain') weights.plain = Math.max(weights.plain, weight);
  }
  return weights.open > 0 && weights.open >= weights.plain;
}

/** The registry's text in OpenMetrics. The registry stays as it is: prom-client would rename its counters for good. */
export async function openMetrics(registry: Registry): Promise<string> {
  const families = (await registry.getMetricsAsJSON()) as unknown as Family[];
  const names = new Set(families.map(({ name }) => name));
  const copy = new Registry<OpenMetricsContentType>();
  copy.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const family of families) copy.registerMetric(asMetric(withOwnName(family, names)));
  return copy.metrics();
}

type Family = Omit<MetricObjectWithValues<MetricValue<string>>, 'type'> & { type: string };

/** OpenMetrics calls the counter `a_total` `a`. Where a family of this name exists, the counter stays what it is, without a type. */
function withOwnName(family: Family, names: ReadonlySet<string>): Family {
  const isCounter = family.type === 'counter' && names.has(family.name.replace(/_total$/, ''));
  return isCounter ? { ...family, type: 'unknown' } : family;
}

/** What a registry needs of a metric. */
function asMetric(family: Family): Parameters<Registry['registerMetric']>[0] {
  const metric = { ...family, get: () => Promise.resolve({ ...family, name: metric.name }) };
  return metric as unknown as Parameters<Registry['registerMetric']>[0];
}
