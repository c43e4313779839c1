/** Small parts of the Redis engine, each alone: call deadlines, dedup windows, deliveries. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { HistoryEntry, HistoryResult } from '../../src/notification/engine/engine.js';
import { CallDeadlines } from '../../src/notification/engine/redis/connection/call-deadline.js';
import { ChannelOrder } from '../../src/notification/engine/redis/cluster/channel-order.js';
import { Deliveries } from '../../src/notification/engine/redis/cluster/deliveries.js';
import { DedupWindow, NodeDedupWindow } from '../../src/notification/engine/redis/cluster/dedup-window.js';
import { NEWS } from '../support/news.js';
import { EngineRecorder } from '../support/engine-recorder.js';

describe('call deadlines', () => {
  const calls = (timeoutMs: number): CallDeadlines =>
    new CallDeadlines(
      timeoutMs,
      () => new Error('late'),
      (error) => new Error(`failed: ${String(error)}`),
    );

  it('end each call within the limit, counted from its own begin, while others go on', async () => {
    const running = calls(60);
    const first = running.run(new Promise(() => undefined));
    const began = performance.now();
    const end = first.catch((error: unknown) => [String(error), performance.now() - began]);
    await delay(30);
    const second = running.run(new Promise(() => undefined));
    const third = running.run(delay(40, 'in time'));
    const [error, took] = (await end) as [string, number];
    expect(error).toBe('Error: late');
    expect(took).toBeGreaterThan(55);
    await expect(third).resolves.toBe('in time');
    await expect(second).rejects.toThrow('late');
    expect(performance.now() - began).toBeGreaterThan(85);
    running.close();
  });

  it('let a reply of many megabytes arrive that a standstill of the event loop kept in the socket and behind it', async () => {
    const BYTES = 16_000_000;
    // In a thread of its own, so that it sends while this loop stands still.
    const server = new Worker(
      `const { parentPort } = require('node:worker_threads');
       const server = require('node:net').createServer((socket) => socket.once('data', () => socket.end(Buffer.alloc(${BYTES}))));
       server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
      { eval: true },
    );
    const [port] = (await once(server, 'message')) as [number];
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const running = calls(100);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    const reply = running.run(once(socket, 'end').then(() => bytes));
    await new Promise((resolve) => socket.write('?', resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
    try {
      expect(await reply).toBe(BYTES);
    } finally {
      running.close();
      socket.destroy();
      await server.terminate();
    }
  });

  it('resolve `ended` when every call has succeeded, failed or been given up', async () => {
    const running = calls(50);
    const ends: string[] = [];
    const note = (end: string) => (): void => void ends.push(end);
    running.run(delay(5)).then(note('done'), note('?'));
    running.run(Promise.reject(new Error('no'))).catch((error: unknown) => ends.push(String(error)));
    running.run(new Promise(() => undefined)).catch((error: unknown) => ends.push(String(error)));
    await running.ended();
    await delay(0);
    expect(ends.toSorted()).toEqual(['Error: failed: Error: no', 'Error: late', 'done']);
    await running.ended();
    running.close();
  });
});

describe('a dedup window', () => {
  it('recognises the newest items and forgets older ones', () => {
    const recent = new DedupWindow<number>(100);
    const all = Array.from({ length: 1000 }, (_, index) => index);
    expect(all.every((item) => recent.add(item))).toBe(true);
    expect(all.slice(-100).some((item) => recent.add(item))).toBe(false);
    expect(all.filter((item) => recent.has(item)).length).toBeLessThanOrEqual(200);
  });

  it('distinguishes items by node and forgets the oldest nodes', () => {
    const recent = new NodeDedupWindow(10, 2);
    expect(['a.1 1', 'b.1 1', 'a.1 2'].map((name) => recent.add(name))).toEqual([true, true, true]);
    expect(['a.1 1', 'b.1 1', 'a.1 2'].map((name) => recent.add(name))).toEqual([false, false, false]);
    expect(recent.has('c.1 1')).toBe(false);
    expect(recent.add('c.1 1')).toBe(true);
    expect(['a.1 1', 'b.1 1', 'c.1 1'].map((name) => recent.has(name))).toEqual([false, true, true]);
  });
});

describe('deliveries of a channel', () => {
  const at = (offset: number): { epoch: string; offset: number } => ({ epoch: 'e', offset });
  const message = (offset: number): HistoryEntry => ({ text: JSON.stringify({ n: offset }), offset });

  /** A channel of which the node has the first publication; `read` answers the readings of history, one by one. */
  function make(): {
    deliveries: Deliveries;
    recorder: EngineRecorder;
    reads: ((page: HistoryResult) => void)[];
    lost: string[];
  } {
    const recorder = new EngineRecorder();
    const reads: ((page: HistoryResult) => void)[] = [];
    const lost: string[] = [];
    const order = new ChannelOrder(
      { emit: (event) => event(recorder), report: (what) => lost.push(what) },
      { after: () => new Promise((resolve) => reads.push(resolve)), ownerOf: () => Promise.resolve(undefined) },
      { report: () => lost.push('gap') },
    );
    const deliveries = new Deliveries({ emit: (event) => event(recorder), report: (what) => lost.push(what) }, order);
    order.watch('news');
    arrive(deliveries, 1);
    return { deliveries, recorder, reads, lost };
  }
  const arrive = (deliveries: Deliveries, n: number): void =>
    deliveries.arrived(`node ${n}`, { channel: NEWS, text: JSON.stringify({ n }), position: at(n) });
  const offsets = (recorder: EngineRecorder): unknown[] =>
    recorder.of('publication').map(({ publication }) => publication.position?.offset);

  it('include a publication that arrives while an older reading of history is under way', async () => {
    const { deliveries, recorder, reads } = make();
    arrive(deliveries, 3);
    arrive(deliveries, 4);
    while (reads.length < 1) await delay(0);
    // Read before the fourth was published.
    reads[0]?.({ complete: true, publications: [message(2), message(3)], head: at(3) });
    while (reads.length < 2) await delay(0);
    reads[1]?.({ complete: true, publications: [message(4)], head: at(4) });
    await recorder.nth('publication', 4);
    expect(offsets(recorder)).toEqual([1, 2, 3, 4]);
  });

  it('show no message that was acknowledged before it arrived', () => {
    const { deliveries, recorder } = make();
    const kept = (messageId: string) => ({ messageId, userId: 'ann', expiresAt: 1, message: {} });
    deliveries.acknowledged('m-1', 'ann');
    deliveries.message(kept('m-1'));
    deliveries.message(kept('m-2'));
    expect(recorder.of('message').map(({ message }) => message.messageId)).toEqual(['m-2']);
  });

  it('report what history does not have any more', async () => {
    const { deliveries, recorder, reads } = make();
    arrive(deliveries, 30);
    while (reads.length < 1) await delay(0);
    reads[0]?.({ complete: false, head: at(30) });
    expect(await recorder.nth('missed')).toEqual({ kind: 'missed', channel: 'news', head: at(30) });
    arrive(deliveries, 31);
    expect(offsets(recorder)).toEqual([1, 31]);
  });
});
