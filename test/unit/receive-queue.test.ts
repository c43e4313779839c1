import { TimeSlices } from '../../src/notification/pacing/time-slices.js';
import { ReceiveQueue, type Turn } from '../../src/notification/connection/receive-queue.js';

/** A receive queue whose frames are done when the test says so. */
function makeReceiveQueue(bound: number): {
  receiveQueue: ReceiveQueue<number>;
  begun: number[];
  turns: Turn[];
  socket: string[];
  finish(): Promise<void>;
} {
  const begun: number[] = [];
  const turns: Turn[] = [];
  const socket: string[] = [];
  const open: (() => void)[] = [];
  const receiveQueue = new ReceiveQueue<number>(
    bound,
    {
      handle: (frame, turn) => {
        begun.push(frame);
        turns.push(turn);
        return new Promise((resolve) => open.push(resolve));
      },
      pause: () => socket.push('pause'),
      resume: () => socket.push('resume'),
      room: () => undefined,
    },
    new TimeSlices(),
  );
  const finish = async (): Promise<void> => {
    open.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { receiveQueue, begun, turns, socket, finish };
}

describe('a receive queue', () => {
  it('stops reading at one large frame until that is handled', async () => {
    const { receiveQueue, socket, finish } = makeReceiveQueue(10);
    receiveQueue.push(1, true);
    expect(socket).toEqual(['pause']);
    await finish();
    expect(socket).toEqual(['pause', 'resume']);
  });

  it('handles one frame after the other, in order', async () => {
    const { receiveQueue, begun, finish } = makeReceiveQueue(10);
    for (const frame of [1, 2, 3]) receiveQueue.push(frame);
    expect(begun).toEqual([1]);
    await finish();
    expect(begun).toEqual([1, 2]);
    await finish();
    await finish();
    receiveQueue.push(4);
    expect(begun).toEqual([1, 2, 3, 4]);
  });

  it('begins a frame when the one before it has reached the engine, and no more frames than its bound', async () => {
    const { receiveQueue, begun, turns, finish } = makeReceiveQueue(2);
    const handOver = async (): Promise<void> => {
      turns.at(-1)?.handOver();
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    };
    for (const frame of [1, 2, 3]) receiveQueue.push(frame);
    await handOver();
    expect([begun, receiveQueue.handedOver]).toEqual([[1, 2], 1]);
    expect(turns.map(({ earlier }) => earlier !== undefined)).toEqual([false, true]);
    await handOver();
    expect([begun, receiveQueue.handedOver]).toEqual([[1, 2], 2]);
    await finish();
    await finish();
    expect(begun).toEqual([1, 2, 3]);
    await finish();
    expect(receiveQueue.handedOver).toBe(3);
    await receiveQueue.idle();
  });

  it('begins nothing beside a large frame', async () => {
    const { receiveQueue, begun, turns, finish } = makeReceiveQueue(10);
    receiveQueue.push(1, true);
    receiveQueue.push(2);
    turns[0]?.handOver();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual([1]);
    await finish();
    expect(begun).toEqual([1, 2]);
  });

  it('stops reading when the bound is reached, and reads on when half of it is done', async () => {
    const { receiveQueue, begun, socket, finish } = makeReceiveQueue(4);
    for (let frame = 1; frame <= 6; frame += 1) receiveQueue.push(frame);
    expect(socket).toEqual(['pause']);
    for (let frame = 1; frame <= 6; frame += 1) await finish();
    expect(begun).toEqual([1, 2, 3, 4, 5, 6]);
    expect(socket).toEqual(['pause', 'resume']);
  });

  it('is idle when the frames that came are answered', async () => {
    const { receiveQueue, finish } = makeReceiveQueue(4);
    await receiveQueue.idle();
    receiveQueue.push(1);
    let idle = false;
    const waiting = receiveQueue.idle().then(() => (idle = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(idle).toBe(false);
    await finish();
    await waiting;
  });

  it('drops what nobody has begun, and takes nothing more, when it is discarded', async () => {
    const { receiveQueue, begun, finish } = makeReceiveQueue(4);
    for (const frame of [1, 2, 3]) receiveQueue.push(frame);
    receiveQueue.discard();
    const idle = receiveQueue.idle();
    await finish();
    await idle;
    receiveQueue.push(4);
    expect(begun).toEqual([1]);
  });

  it('does not read the socket again once it is discarded', async () => {
    const { receiveQueue, socket, finish } = makeReceiveQueue(2);
    for (const frame of [1, 2, 3]) receiveQueue.push(frame);
    receiveQueue.discard();
    await finish();
    await receiveQueue.idle();
    expect(socket).toEqual(['pause']);
  });

  it('lets the event loop have its turn, however many frames need nothing but the thread', async () => {
    let handled = 0;
    const receiveQueue = new ReceiveQueue<number>(
      100_000,
      {
        handle: async () => {
          handled += 1;
          const end = performance.now() + 0.05;
          while (performance.now() < end) continue;
        },
        pause: () => undefined,
        resume: () => undefined,
        room: () => undefined,
      },
      new TimeSlices(),
    );
    for (let frame = 0; frame < 2000; frame += 1) receiveQueue.push(frame);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(handled).toBeLessThan(2000);
    await receiveQueue.idle();
    expect(handled).toBe(2000);
  });
});
