import fc from 'fast-check';
import { OutboundFrame } from '../../src/notification/connection/frame.js';
import { SendQueue } from '../../src/notification/connection/send-queue.js';
import { BufferJoiner } from '../../src/notification/pacing/buffer-joiner.js';
import { WriteScheduler } from '../../src/notification/pacing/write-scheduler.js';
import { Pacing } from '../../src/notification/pacing/pacing.js';
import { until, type FrameGenerator } from '../../src/notification/connection/frame-source.js';
import { nextTurn, payloadsOf } from '../support/fake-connection.js';

const frame = (value: unknown, key?: string): OutboundFrame => new OutboundFrame({ value }, '', key);
const sized = (size: number, key?: string): OutboundFrame => new OutboundFrame({ x: 'x'.repeat(size - 10) }, '', key);

/** The values of plain frames written back to back. */
const valuesOf = (bytes: Buffer): unknown[] => payloadsOf(bytes).map(({ value }) => value);

/** A socket that takes a write when the test says so. */
function makeSendQueue(limit = 1_000_000): {
  sendQueue: SendQueue;
  writes: Buffer[];
  overflows: number[];
  sourceErrors: unknown[];
  dropped: number[];
  /** The socket takes what was written last. */
  accept(): void;
} {
  const writes: Buffer[] = [];
  const overflows: number[] = [];
  const sourceErrors: unknown[] = [];
  const dropped: number[] = [];
  let written: (() => void) | undefined;
  const sendQueue = new SendQueue(
    limit,
    false,
    new Pacing(),
    {
      write: (bytes, done) => {
        writes.push(bytes);
        written = done;
        return false;
      },
    },
    {
      onOverflow: () => overflows.push(writes.length),
      onSourceError: (error) => sourceErrors.push(error),
      onDropped: (frames) => dropped.push(frames),
    },
  );
  return {
    sendQueue,
    writes,
    overflows,
    sourceErrors,
    dropped,
    accept: () => {
      const done = written;
      written = undefined;
      done?.();
    },
  };
}

function* sourceOf(...frames: OutboundFrame[]): FrameGenerator {
  yield* frames;
}

describe('a send queue', () => {
  it('joins the frames of one turn into one write, in order', async () => {
    const { sendQueue, writes } = makeSendQueue();
    for (const value of [1, 2, 3]) sendQueue.push(frame(value));
    expect(writes).toHaveLength(0);
    await nextTurn();
    expect(writes.map(valuesOf)).toEqual([[1, 2, 3]]);
  });

  it('has one write in flight, and joins what gathers meanwhile', async () => {
    const { sendQueue, writes, accept } = makeSendQueue();
    sendQueue.push(frame(1));
    await nextTurn();
    for (const value of [2, 3]) sendQueue.push(frame(value));
    await nextTurn();
    expect(writes).toHaveLength(1);
    accept();
    expect(writes.map(valuesOf)).toEqual([[1], [2, 3]]);
  });

  it('replaces a waiting frame of the same key in its place, but not one that is on its way', async () => {
    const { sendQueue, writes, accept } = makeSendQueue();
    sendQueue.push(frame('old', 'progress'));
    await nextTurn();
    sendQueue.push(frame('newer', 'progress'));
    sendQueue.push(frame('between'));
    sendQueue.push(frame('newest', 'progress'));
    accept();
    expect(writes.map(valuesOf)).toEqual([['old'], ['newest', 'between']]);
    expect(sendQueue.waitingBytes).toBe(writes[1]?.length);
    accept();
    expect(sendQueue.waitingBytes).toBe(0);
  });

  it('overflows once when the backlog passes the limit, and takes nothing more', async () => {
    const { sendQueue, overflows, writes, accept } = makeSendQueue(1000);
    for (let count = 0; count < 30; count += 1) sendQueue.push(sized(100));
    expect(overflows).toHaveLength(1);
    await nextTurn();
    accept();
    expect(writes.map((bytes) => bytes.length)).toEqual([1000]);
    expect(sendQueue.waitingBytes).toBe(0);
  });

  it('does not overflow while frames only wait for their turn', async () => {
    const writes: Buffer[] = [];
    const overflows: string[] = [];
    const sendQueue = new SendQueue(
      1000,
      false,
      new Pacing(),
      { write: (bytes) => writes.push(bytes) > 0 },
      { onOverflow: () => overflows.push('overflow'), onSourceError: (error) => overflows.push(String(error)) },
    );
    sendQueue.push(sized(900));
    sendQueue.push(sized(900));
    expect([writes.length, overflows]).toEqual([1, []]);
    await nextTurn();
    expect([writes.length, overflows]).toEqual([2, []]);
  });

  it('counts a frame in flight as dropped only if the socket is gone before it is written', async () => {
    const { sendQueue, dropped, accept } = makeSendQueue();
    const other = makeSendQueue();
    for (const queue of [sendQueue, other.sendQueue]) {
      queue.push(frame(1));
      await nextTurn();
      queue.push(frame(2));
      queue.discard();
    }
    accept();
    for (const queue of [sendQueue, other.sendQueue]) queue.discard(true);
    expect([dropped, other.dropped]).toEqual([[1], [1, 1]]);
  });

  it('takes a frame over the limit when nothing waits', async () => {
    const { sendQueue, overflows, writes } = makeSendQueue(1000);
    sendQueue.push(sized(5000));
    await nextTurn();
    expect([overflows.length, writes.length]).toEqual([0, 1]);
  });

  it('overflows when a conflated frame grows beyond the limit', async () => {
    const { sendQueue, overflows } = makeSendQueue(1000);
    sendQueue.push(sized(600));
    sendQueue.push(sized(100, 'progress'));
    sendQueue.push(sized(900, 'progress'));
    expect(overflows).toHaveLength(1);
  });

  it('lets a reply take the waiting broadcast along, before the turn of the broadcast and in order', async () => {
    let now = 0;
    const pacing = { writes: new WriteScheduler(() => (now += 2)), joiner: new BufferJoiner() };
    const written: string[] = [];
    const queues = Array.from({ length: 40 }, (_, index) => {
      const write = (bytes: Buffer): boolean => written.push(`${index}: ${valuesOf(bytes).join()}`) > 0;
      const events = { onOverflow: () => undefined, onSourceError: () => undefined };
      return new SendQueue(1000, false, pacing, { write }, events);
    });
    for (const queue of queues) queue.push(frame('broadcast'), true);
    queues[39]?.push(frame('reply'));
    await nextTurn();
    expect([written[0], written.length]).toEqual(['39: broadcast,reply', 17]);
    while (queues.some(({ waitingBytes }) => waitingBytes > 0)) await nextTurn();
    expect(written.slice(1)).toEqual(Array.from({ length: 39 }, (_, index) => `${index}: broadcast`));
  });

  it('writes the same bytes for all that wait for the same frames, and other bytes for others', async () => {
    const pacing = new Pacing();
    const [one, two, three] = [frame(1), frame(2), frame(3)];
    const written: Buffer[] = [];
    for (const frames of [
      [one, two],
      [one, two],
      [one, three],
      [one, two, three],
    ]) {
      const events = { onOverflow: () => undefined, onSourceError: () => undefined };
      const queue = new SendQueue(1000, false, pacing, { write: (bytes) => written.push(bytes) > 0 }, events);
      for (const each of frames) queue.push(each);
    }
    await nextTurn();
    expect(written.map(valuesOf)).toEqual([
      [1, 2],
      [1, 2],
      [1, 3],
      [1, 2, 3],
    ]);
    expect(written.map((bytes) => bytes === written[0])).toEqual([true, true, false, false]);
  });

  it('reads a source as the socket drains, and never overflows by it', async () => {
    const { sendQueue, overflows, writes, accept } = makeSendQueue(1000);
    sendQueue.follow('source', sourceOf(...Array.from({ length: 50 }, () => sized(10_000))));
    await nextTurn();
    await nextTurn();
    expect(sendQueue.waitingBytes).toBeLessThan(65_536 + 10_100);
    for (let count = 0; count < 50; count += 1) {
      accept();
      await nextTurn();
      await nextTurn();
    }
    expect(Buffer.concat(writes).length).toBeGreaterThan(500_000);
    expect(overflows).toEqual([]);
  });

  it('does not count what a source has brought towards the limit on live frames', async () => {
    const { sendQueue, overflows } = makeSendQueue(1000);
    sendQueue.follow('source', sourceOf(...Array.from({ length: 5 }, () => sized(10_000))));
    await nextTurn();
    await nextTurn();
    expect(sendQueue.waitingBytes).toBeGreaterThan(1000);
    sendQueue.push(sized(900));
    expect(overflows).toEqual([]);
    sendQueue.push(sized(900));
    expect(overflows).toHaveLength(1);
  });

  it('reads one source after the other', async () => {
    const { sendQueue, writes, accept } = makeSendQueue();
    sendQueue.follow('first', sourceOf(frame(1), frame(2)));
    sendQueue.follow('second', sourceOf(frame(3)));
    for (let count = 0; count < 5; count += 1) {
      await nextTurn();
      accept();
    }
    expect(writes.flatMap(valuesOf)).toEqual([1, 2, 3]);
  });

  it('reports a source that fails, and ends every source that is finished', async () => {
    const { sendQueue, sourceErrors } = makeSendQueue();
    const fault = new Error('unreadable');
    const ended: string[] = [];
    const waitingFor = function* (promise: Promise<unknown>): FrameGenerator {
      try {
        yield* until(promise);
      } finally {
        ended.push('ended');
      }
    };
    sendQueue.follow('source', waitingFor(Promise.reject(fault)));
    await nextTurn();
    expect([sourceErrors, ended]).toEqual([[fault], ['ended']]);
    const other = makeSendQueue();
    let fail = (_: Error): void => undefined;
    other.sendQueue.follow('source', waitingFor(new Promise((_, reject) => (fail = reject))));
    other.sendQueue.discard();
    expect(ended).toEqual(['ended', 'ended']);
    fail(fault);
    await nextTurn();
    expect(other.sourceErrors).toEqual([]);
  });

  it('gives a source what it waited for, and sends what is at hand in the same turn', async () => {
    const { sendQueue, writes } = makeSendQueue();
    sendQueue.push(frame(1));
    sendQueue.follow(
      'source',
      (function* () {
        yield frame(2);
        yield frame(yield* until(Promise.resolve(3)));
      })(),
    );
    expect(sendQueue.waitingBytes).toBe(frame(1).wire(false).length + frame(2).wire(false).length);
    await nextTurn();
    expect(writes.map(valuesOf)).toEqual([[1, 2, 3]]);
  });

  it('is drained when the socket has taken everything, and at once when it is closed', async () => {
    const { sendQueue, accept } = makeSendQueue();
    await sendQueue.drained();
    sendQueue.push(frame(1));
    const order: string[] = [];
    const drained = sendQueue.drained().then(() => order.push('drained'));
    await nextTurn();
    order.push('accepted');
    accept();
    await drained;
    expect(order).toEqual(['accepted', 'drained']);
    sendQueue.push(frame(2));
    const discarded = sendQueue.drained();
    sendQueue.discard();
    await discarded;
  });

  it('never loses or reorders frames without a key, and shows the newest of each key last', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('plain' as const) }),
      fc.record({ kind: fc.constant('conflated' as const), key: fc.constantFrom('a', 'b') }),
      fc.record({ kind: fc.constant('turn' as const) }),
      fc.record({ kind: fc.constant('accept' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { sendQueue, writes, accept } = makeSendQueue();
        const plain: string[] = [];
        const newest = new Map<string, string>();
        for (const [index, action] of steps.entries()) {
          if (action.kind === 'turn') await nextTurn();
          else if (action.kind === 'accept') accept();
          else if (action.kind === 'plain') {
            plain.push(`plain ${index}`);
            sendQueue.push(frame(`plain ${index}`));
          } else {
            newest.set(action.key, `${action.key} ${index}`);
            sendQueue.push(frame(`${action.key} ${index}`, action.key));
          }
        }
        while (sendQueue.waitingBytes > 0) {
          await nextTurn();
          accept();
        }
        const values = writes.flatMap(valuesOf) as string[];
        expect(values.filter((value) => value.startsWith('plain'))).toEqual(plain);
        for (const [key, last] of newest) expect(values.findLast((value) => value.startsWith(`${key} `))).toBe(last);
      }),
      { seed: 20261124, numRuns: 150 },
    );
  });
});
