/**
 * The embedded engine's store without its thread and its file: the same code, run in this thread, on a database in memory
 * that outlives it. It talks to the engine as a worker does, so that the engine is the one that production runs.
 *
 *  1. Messages arrive in another turn of the event loop, in order, as those of a worker.
 *  2. `crash` ends it as `kill -9` ends a process: what was not answered yet never is, and what was committed stays.
 */
import { EventEmitter } from 'node:events';
import { openSqlite, type Sqlite } from '../notification/engine/embedded/sqlite.js';
import type { FromWorker, StoreOptions, StoreThread, ToWorker } from '../notification/engine/embedded/store-protocol.js';
import { Store } from '../notification/engine/embedded/store.js';
import type { Clock } from '../notification/pacing/clock.js';
import { setImmediate } from '../notification/pacing/time-source.js';

/** A database in memory that a crash leaves as it was. */
export class MemoryDatabase {
  private opening: Promise<Sqlite> | undefined;

  async open(): Promise<Sqlite> {
    this.opening ??= openSqlite(':memory:');
    const database = await this.opening;
    return { exec: (sql) => database.exec(sql), prepare: (sql) => database.prepare(sql), close: () => undefined };
  }

  async close(): Promise<void> {
    (await this.opening)?.close();
  }
}

export class SameThreadStore extends EventEmitter implements StoreThread {
  private phase: 'running' | 'ended' = 'running';
  private readonly store: Promise<Store>;
  private readonly ended = new Promise<void>((resolve) => this.once('exit', resolve));

  constructor(options: StoreOptions, database: MemoryDatabase, clock: Clock) {
    super();
    this.store = Store.open(options, () => database.open(), clock);
    void this.begin();
  }

  postMessage(message: ToWorker): void {
    setImmediate(() => void this.receive(message));
  }

  /** Nothing is answered any more. */
  crash(): Promise<void> {
    this.end();
    return this.ended;
  }

  terminate(): void {
    this.end();
  }

  private async begin(): Promise<void> {
    try {
      this.answer((await this.store).begin());
    } catch (error) {
      this.answer({ type: 'refused', failure: { kind: 'unavailable', message: (error as Error).message } });
      this.end();
    }
  }

  private async receive(message: ToWorker): Promise<void> {
    const store = await this.store;
    if (this.phase === 'ended') return;
    if (message.type === 'close') {
      this.end();
      return;
    }
    const outcomes = store.run(message.calls);
    this.answer({ type: 'outcomes', outcomes, nextDue: store.nextDue, warnings: store.takeWarnings() });
  }

  private answer(message: FromWorker): void {
    // As between threads: the receiver's objects are its own.
    const copy = structuredClone(message);
    setImmediate(() => {
      if (this.phase === 'running') this.emit('message', copy);
    });
  }

  private end(): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    setImmediate(() => this.emit('exit'));
  }
}
