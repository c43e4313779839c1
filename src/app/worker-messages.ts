/** What the workers of a node and the process that started them send each other. */
import { z } from 'zod';
import type { Registry } from 'prom-client';

/** The metrics of one process. */
export type ProcessMetrics = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** Names the node in the environment of its workers. */
export const NODE_NAME = 'NOTIFICATION_NODE_NAME';

const id = z.number();
const metrics = z.custom<ProcessMetrics>((value) => Array.isArray(value));

/** From a worker. `id` names the request that is to be answered, the place, or the request that this answers. */
export const workerMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('node:take-place'), id, kind: z.enum(['regular', 'unauthenticated']) }),
  z.object({ type: z.literal('node:release-place'), id }),
  z.object({ type: z.literal('node:count-connections'), id }),
  z.object({ type: z.literal('node:collect-metrics'), id }),
  z.object({ type: z.literal('node:metrics'), id, metrics }),
]);
export type WorkerMessage = z.infer<typeof workerMessage>;

/** To a worker. */
export const primaryMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('node:place'), id, isTaken: z.boolean() }),
  z.object({ type: z.literal('node:give-way'), id }),
  z.object({ type: z.literal('node:connections'), id, count: z.number() }),
  z.object({ type: z.literal('node:read-metrics'), id }),
  z.object({ type: z.literal('node:collected'), id, processes: z.array(metrics), missing: z.number() }),
]);
export type PrimaryMessage = z.infer<typeof primaryMessage>;
