/** The gauges of a node. `server/node-gauges.ts` gives them their values, which are read at each scrape. */
import type { Registry } from 'prom-client';
import type { AskedUsers } from './asked-users.js';
import { Date } from '../pacing/time-source.js';
import { registerGauge, registerGauges, shared, type Aggregator } from './register-gauge.js';
import { AGES } from './labels.js';

/** The live connections together. */
export interface Quality {
  /** Bytes that wait to be sent, in all connections and in the one with most. */
  queueBytes: number;
  longestQueueBytes: number;
  /** Means over the connections that have been measured. */
  roundTripSeconds: number | undefined;
  spreadSeconds: number | undefined;
}

/** Gauges whose values are read at each scrape. */
export interface GaugeValues {
  connections(): number;
  /** The most connections that the node takes. */
  connectionLimit: number;
  running(): boolean;
  quality(): Quality;
  /** @returns pending confirmations, and how many of them are younger than each of the given ages */
  pending(agesMs: readonly number[]): Promise<{ all: number; younger: readonly number[] }>;
  nodes(): Promise<number>;
}

export function registerNodeGauges(registry: Registry, askedUsers: AskedUsers, values: GaugeValues): void {
  // Thousands of connections are gone through once per scrape.
  const quality = shared(() => Promise.resolve(values.quality()));
  const pending = shared(() => values.pending(AGES.slice(0, -1).map(({ belowMs }) => belowMs)));
  const gauge = (name: string, help: string, read: () => number | Promise<number | undefined>, aggregator?: Aggregator): void =>
    registerGauge(registry, { name, help, aggregator }, read);
  gauge('websocket_connections', 'Live connections', () => values.connections(), 'sum');
  gauge('websocket_connections_limit', 'The most connections that the node takes', () => values.connectionLimit);
  gauge('websocket_running', '1 while the service takes connections', () => (values.running() ? 1 : 0));
  gauge('websocket_send_queue_bytes', 'Bytes that wait to be sent', async () => (await quality()).queueBytes, 'sum');
  gauge(
    'websocket_send_queue_longest_bytes',
    'Bytes that wait in the connection that has most',
    async () => (await quality()).longestQueueBytes,
  );
  gauge(
    'websocket_round_trip_mean_seconds',
    'The last round-trip time of a connection, as a mean over the live connections',
    async () => (await quality()).roundTripSeconds,
    'average',
  );
  gauge(
    'websocket_round_trip_spread_seconds',
    'How much the round-trip times of a connection vary, as a mean over the live connections',
    async () => (await quality()).spreadSeconds,
    'average',
  );
  gauge('pending_callbacks', 'Prompts that wait for a decision', async () => (await pending()).all);
  const byAge = { name: 'confirmations_pending', help: 'Prompts that wait for a decision, by age' };
  registerGauges(registry, byAge, 'age', async () => {
    const { all, younger } = await pending();
    return AGES.map(({ age }, index) => [age, (younger[index] ?? all) - (younger[index - 1] ?? 0)]);
  });
  gauge(
    'confirmations_asked_users',
    'Persons whom this node asked within the last hour, at most 20000',
    () => askedUsers.read().users,
    'sum',
  );
  gauge(
    'confirmations_most_per_user',
    'The most prompts that one person got from this node within the last hour',
    () => askedUsers.read().most,
  );
  gauge('websocket_clock_seconds', 'The wall clock of the node, in Unix time', () => Date.now() / 1000);
  gauge('engine_up', '1 while the engine answers', async () => ((await pending().catch(() => undefined)) ? 1 : 0));
  gauge('engine_nodes', 'Nodes that share the engine, as this one knows', () => values.nodes());
}
