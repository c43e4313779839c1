/** What the embedded engine is made with. */
import type { EngineReading } from '../deadlines.js';
import type { EngineLogger } from '../emitter.js';
import type { EngineSettings } from '../engine.js';
import type { Clock } from '../../pacing/clock.js';
import type { StoreOptions, StoreThread } from './store-protocol.js';

export const RESERVE_BYTES = 16 * 1024 * 1024;

export interface EmbeddedEngineOptions {
  /** The folder of the store, made where it does not exist; `:memory:` keeps nothing. */
  dataDir: string;
  settings: EngineSettings;
  /** How far the node has read its sockets. @default there is nothing to read */
  reading?: EngineReading;
  /** @default nothing is logged */
  logger?: EngineLogger;
  /** How much of the disk is kept for answers when it is full. @default 16 MiB */
  reserveBytes?: number;
  /** Starts the store's thread, which must call `serveStore`. @default a thread with the real SQLite */
  newWorker?: (options: StoreOptions) => StoreThread;
  /** How long calls gather while the main thread has no idle time, so that a worker gets fewer messages. @default 5 */
  gatherMs?: number;
  /** The time by which deadlines pass and the store is purged. @default the system's */
  clock?: Clock;
}
