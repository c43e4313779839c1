/** What a node reports of itself to the others: a few of its metrics, as `GET /ws/nodes` shows them. */
import type { Metric, Registry } from 'prom-client';

/** Counters count since the process started. */
export interface NodeCounts {
  connections: number;
  messages_sent: number;
  frames_received: number;
  errors: number;
  /** Connections cut because their peer read too slowly. */
  slow_closes: number;
  /** Bytes that wait to be sent. */
  queue_bytes: number;
  confirmations_opened: number;
  /** By outcome. */
  confirmations_decided: Record<string, number>;
  /** The round-trip times measured, and their sum in seconds. */
  round_trips: { count: number; sum: number };
  /** The messages and prompts delivered, and the sum of their delivery times in seconds. */
  deliveries: { count: number; sum: number };
}

interface Sample {
  metricName?: string;
  labels: Partial<Record<string, string | number>>;
  value: number;
}

export async function nodeCounts(registry: Registry): Promise<NodeCounts> {
  const samples = async (name: string): Promise<Sample[]> => {
    const metric: Metric | undefined = registry.getSingleMetric<string>(name);
    return (await metric?.get())?.values ?? [];
  };
  const sum = async (name: string): Promise<number> => total(await samples(name));
  const times = async (name: string): Promise<{ count: number; sum: number }> => {
    const all = await samples(name);
    const part = (suffix: string): number => total(all.filter(({ metricName }) => metricName === `${name}_${suffix}`));
    return { count: part('count'), sum: part('sum') };
  };
  const decided = await samples('confirmations_decided_total');
  return {
    connections: await sum('websocket_connections'),
    messages_sent: await sum('websocket_messages_sent_total'),
    frames_received: await sum('websocket_frames_received_total'),
    errors: await sum('websocket_errors_total'),
    slow_closes: await sum('websocket_slow_closes_total'),
    queue_bytes: await sum('websocket_send_queue_bytes'),
    confirmations_opened: await sum('confirmations_opened_total'),
    confirmations_decided: Object.fromEntries(decided.map(({ labels, value }) => [String(labels['outcome']), value])),
    round_trips: await times('websocket_round_trip_seconds'),
    deliveries: await times('websocket_delivery_seconds'),
  };
}

/**
 * The counts of a node with several workers. Every worker sees every decision, so the largest count stands; all others are
 * added up.
 */
export function mergeCounts(all: readonly NodeCounts[]): NodeCounts {
  const sum = (read: (counts: NodeCounts) => number): number => all.reduce((value, counts) => value + read(counts), 0);
  const outcomes = new Set(all.flatMap((counts) => Object.keys(counts.confirmations_decided)));
  const most = (outcome: string): number => Math.max(...all.map((counts) => counts.confirmations_decided[outcome] ?? 0));
  return {
    connections: sum((counts) => counts.connections),
    messages_sent: sum((counts) => counts.messages_sent),
    frames_received: sum((counts) => counts.frames_received),
    errors: sum((counts) => counts.errors),
    slow_closes: sum((counts) => counts.slow_closes),
    queue_bytes: sum((counts) => counts.queue_bytes),
    confirmations_opened: sum((counts) => counts.confirmations_opened),
    confirmations_decided: Object.fromEntries([...outcomes].map((outcome) => [outcome, most(outcome)])),
    round_trips: { count: sum(({ round_trips }) => round_trips.count), sum: sum(({ round_trips }) => round_trips.sum) },
    deliveries: { count: sum(({ deliveries }) => deliveries.count), sum: sum(({ deliveries }) => deliveries.sum) },
  };
}

const total = (samples: readonly Sample[]): number => samples.reduce((sum, { value }) => sum + value, 0);
