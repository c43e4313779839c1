/** An engine without a port, a file or a thread: the embedded engine on a store in this thread. */
import { EmbeddedEngine } from '../notification/engine/embedded/embedded-engine.js';
import type { StoreOptions } from '../notification/engine/embedded/store-protocol.js';
import type { EngineReading } from '../notification/engine/deadlines.js';
import type { Engine, EngineSettings } from '../notification/engine/engine.js';
import { systemClock, type Clock } from '../notification/pacing/clock.js';
import { SameThreadStore, type MemoryDatabase } from './same-thread-store.js';

/** One life of a process on a database: from `newMemoryEngine` to `close` or `crash`. */
export interface MemoryEngine {
  readonly engine: Engine;
  /** Ends it as `kill -9` does; the database keeps what was stored. */
  crash(): Promise<void>;
}

/**
 * @param clock the time by which deadlines pass. @default the system's
 */
export function newMemoryEngine(settings: EngineSettings, database: MemoryDatabase, clock: Clock = systemClock): MemoryEngine {
  let thread: SameThreadStore | undefined;
  const newWorker = (options: StoreOptions): SameThreadStore => (thread = new SameThreadStore(options, database, clock));
  const engine = new EmbeddedEngine({ dataDir: ':memory:', settings, reading: readingOf(clock), newWorker, gatherMs: 0, clock });
  return {
    engine,
    async crash() {
      await thread?.crash();
      await engine.close();
    },
  };
}

/** Nobody is behind a socket: what anybody does has reached the engine when it is done. */
function readingOf(clock: Clock): EngineReading {
  return {
    get readUntil() {
      return clock.monotonicMs();
    },
    servingSince: -Infinity,
    reach: () => Promise.resolve(),
    onServing: () => undefined,
  };
}
