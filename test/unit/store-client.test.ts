/** The engine and a store that is slow. */
import { parseChannel } from '../../src/protocol/channels.js';
import { EventEmitter } from 'node:events';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedEngine } from '../../src/notification/engine/embedded/embedded-engine.js';
import { StoreClient } from '../../src/notification/engine/embedded/store-client.js';
import type { StoreThread, ToWorker } from '../../src/notification/engine/embedded/store-protocol.js';
import { NOTHING_TO_READ } from '../../src/notification/engine/deadlines.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { newFolder } from '../support/engine-folder.js';
import { EngineRecorder } from '../support/engine-recorder.js';
import { nextTurn } from '../support/fake-connection.js';

const settings = { retentionMs: 60_000, historySize: 10, historyTtlMs: 60_000, maxConnectionsPerUser: 10, webhookEvents: [] };

/** A store that answers its calls only when the test says so. */
class SlowStore extends EventEmitter implements StoreThread {
  readonly batches: string[][] = [];

  /** @param journaled absent: nothing is journaled */
  constructor(journaled?: string) {
    super();
    const opened = { type: 'opened', warnings: [], emitted: 0, decisions: 0, nextDue: null, overdue: false, journaled };
    setImmediate(() => this.emit('message', opened));
  }

  postMessage(message: ToWorker): void {
    if (message.type === 'close') this.emit('exit');
    else this.batches.push(message.calls.map(({ name }) => name));
  }

  /** Answers the newest batch. */
  answer(value: unknown = false): void {
    const outcomes = this.batches.at(-1)?.map(() => ({ value, events: [] }));
    this.emit('message', { type: 'outcomes', outcomes, warnings: [], nextDue: null });
  }

  terminate(): void {
    this.emit('exit');
  }
}

describe('a store that is slow', () => {
  it('rejects the calls under way when it has not answered in time at the end', async () => {
    const listener = { onEvent: () => undefined, onNextDue: () => undefined, onHealed: () => undefined };
    const client = new StoreClient(
      { dataDir: ':memory:', settings, reserveBytes: 0 },
      NOTHING_TO_READ,
      { ...listener, warn: () => undefined, error: () => undefined },
      () => new SlowStore(),
      0,
      20,
    );
    await client.start();
    const calling = expect(client.store.counts()).rejects.toThrow(EngineUnavailableError);
    await nextTurn();
    await client.close();
    await calling;
  }, 5000);

  it('gets publications behind those that were delivered ahead of it, and none goes ahead while it does not answer', async () => {
    const dataDir = await newFolder();
    const store = new SlowStore('');
    const engine = new EmbeddedEngine({ dataDir, settings, newWorker: () => store, gatherMs: 0 });
    await engine.start(new EngineRecorder());
    const publish = (channel: string) =>
      engine.broker.publish({ channel: parseChannel(channel), message: { type: 'note' }, recoverable: true });
    const first = publish('news');
    const queued = publish('news');
    await nextTurn();
    store.answer({ epoch: 'e', offset: 1 });
    await Promise.all([first, queued]);
    expect((await publish('news')).position).toEqual({ epoch: 'e', offset: 2 });
    const other = publish('other');
    // Its own channel's publications and everybody's calls do not concern it.
    expect((await publish('news')).position).toEqual({ epoch: 'e', offset: 3 });
    await nextTurn();
    expect(store.batches.at(-1)).toEqual(['append', 'publish']);
    await delay(300);
    const late = publish('news');
    store.answer({ epoch: 'e', offset: 4 });
    await other;
    await nextTurn();
    expect(store.batches.at(-1)).toEqual(['publish']);
    store.answer({ epoch: 'e', offset: 4 });
    expect((await late).position?.offset).toBe(4);
    const closing = engine.close();
    store.terminate();
    await closing;
    await rm(dataDir, { recursive: true });
  });

  it('is asked to forget what is old once at a time', async () => {
    const clock = new TestClock();
    const store = new SlowStore();
    const engine = new EmbeddedEngine({ dataDir: ':memory:', settings, newWorker: () => store, gatherMs: 0, clock });
    await engine.start(new EngineRecorder());
    for (let minute = 0; minute < 5; minute += 1) {
      clock.advanceBy(60_000);
      await nextTurn();
      await nextTurn();
    }
    store.answer();
    await nextTurn();
    await nextTurn();
    expect(store.batches.flat().filter((name) => name === 'purge')).toHaveLength(1);
    const closing = engine.close();
    store.terminate();
    await closing;
  });
});
