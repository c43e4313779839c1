/** The numbers of the old component's health object, read from the metrics. */
import type { Metric, Registry } from 'prom-client';

/** The numbers of the old component's health object. */
export interface Totals {
  connections: number;
  total_connections: number;
  failed_connections: number;
  messages_sent: number;
  messages_failed: number;
  /** Seconds from a prompt to its answer; 0 before the first answer. */
  avg_response_time: number;
}

/** @param registry of one process, or the aggregate of several processes */
export async function totalsOf(registry: Registry): Promise<Totals> {
  const valuesOf = async (name: string): Promise<{ metricName?: string; value: number }[]> => {
    const metric: Metric | undefined = registry.getSingleMetric<string>(name);
    return (await metric?.get())?.values ?? [];
  };
  const valueOf = async (name: string): Promise<number> => (await valuesOf(name))[0]?.value ?? 0;
  const histogram = await valuesOf('confirmation_response_seconds');
  const part = (suffix: string): number => histogram.find(({ metricName }) => metricName?.endsWith(suffix))?.value ?? 0;
  const answers = part('_count');
  return {
    connections: await valueOf('websocket_connections'),
    total_connections: await valueOf('websocket_connections_total'),
    failed_connections: await valueOf('websocket_connections_failed_total'),
    messages_sent: await valueOf('websocket_messages_sent_total'),
    messages_failed: await valueOf('websocket_messages_failed_total'),
    avg_response_time: answers === 0 ? 0 : part('_sum') / answers,
  };
}
