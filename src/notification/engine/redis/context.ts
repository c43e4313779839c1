/** What the parts of the engine share. */
import type { EngineSettings } from '../engine.js';
import type { Deliveries } from './deliveries.js';
import type { Nodes } from './nodes.js';
import type { Partitions } from './partitions.js';
import type { Reply } from './records.js';
import type { Script } from './scripts/script.js';
import type { Ticker } from './ticker.js';
import type { Watches } from './watches.js';

export interface Context {
  readonly settings: EngineSettings;
  readonly partitions: Partitions;
  readonly nodes: Nodes;
  readonly watches: Watches;
  readonly deliveries: Deliveries;
  readonly ticker: Ticker;
  /** Runs a script in a partition. */
  run(script: Script, partition: number, ...args: (string | number)[]): Promise<Reply>;
  /**
   * Resolves when the partition's events up to an order have been told here.
   * @param decided whether a decision is about to be told by other means; then none passes that replicas have to have first
   * @throws EngineUnavailableError when they have not got it
   */
  told(partition: number, order: Reply, decided?: boolean): Promise<void>;
}
