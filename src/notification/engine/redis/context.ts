/** What the parts of the engine share. */
import type { Arrival, EngineReading } from '../deadlines.js';
import type { EngineSettings } from '../engine.js';
import type { Deliveries } from './cluster/deliveries.js';
import type { Nodes } from './cluster/node-registry.js';
import type { PartitionClock } from './cluster/partition-clock.js';
import type { Partitions } from './partitions.js';
import type { Reply } from './reply-decoder.js';
import type { Script } from './scripts/script.js';
import type { Ticker } from './cluster/sweep-timer.js';
import type { Watches } from './cluster/channel-subscriptions.js';

export interface Context {
  readonly settings: EngineSettings;
  readonly partitions: Partitions;
  readonly nodes: Nodes;
  readonly watches: Watches;
  readonly deliveries: Deliveries;
  readonly ticker: Ticker;
  /** How far the node has read its sockets; `undefined` for an engine without any above it. */
  readonly reading: EngineReading | undefined;
  /** By partition. */
  readonly clocks: readonly PartitionClock[];
  /** When something reached the node, by the partition's clock, as scripts take it. */
  arrivedAt(partition: number, arrival: Arrival | undefined): string;
  /** Runs a script in a partition. */
  run(script: Script, partition: number, ...args: (string | number)[]): Promise<Reply>;
  /**
   * Resolves when the partition's events up to an order have been told here.
   * @param decided whether a decision is about to be told by other means; then none passes that replicas have to have first
   * @throws EngineUnavailableError when they have not got it
   */
  told(partition: number, order: Reply, decided?: boolean): Promise<void>;
}
