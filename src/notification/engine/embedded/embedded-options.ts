/** What the embedded engine is made with. */
import type { EngineReading } from '../deadlines.js';
import type { EngineSettings } from '../engine.js';

export const RESERVE_BYTES = 16 * 1024 * 1024;

export interface EmbeddedEngineOptions {
  /** The folder of the store, made where it does not exist; `:memory:` keeps nothing. */
  dataDir: string;
  settings: EngineSettings;
  /** How far the node has read its sockets. @default there is nothing to read */
  reading?: EngineReading;
  /** @default nothing is logged */
  logger?: { warn(message: string): void; error(message: string): void };
  /** How much of the disk is kept for answers when it is full. @default 16 MiB */
  reserveBytes?: number;
  /** For tests: whether `inject` works. @default false */
  faults?: boolean;
}
