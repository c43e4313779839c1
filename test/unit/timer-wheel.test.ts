import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { TimerWheel, type WheelTimer } from '../../src/notification/pacing/timer-wheel.js';
import { TestClock } from '../../src/testing/test-clock.js';

let clock: TestClock;

describe('a timer wheel', () => {
  beforeEach(() => {
    clock = new TestClock();
  });

  it('calls back once, at the time or up to one tick later', () => {
    const wheel = new TimerWheel(100, clock);
    const calls: string[] = [];
    wheel.schedule(250, () => calls.push('250'));
    wheel.schedule(1000, () => calls.push('1000'));
    clock.advanceBy(249);
    expect(calls).toEqual([]);
    clock.advanceBy(101);
    expect(calls).toEqual(['250']);
    clock.advanceBy(10_000);
    expect(calls).toEqual(['250', '1000']);
  });

  it('runs one timer for any number, and none when nothing is due', () => {
    const wheel = new TimerWheel(100, clock);
    expect(clock.pending).toBe(0);
    const timers = Array.from({ length: 10_000 }, (_, index) => wheel.schedule(1000 + index, () => undefined));
    expect(clock.pending).toBe(1);
    for (const timer of timers) timer.cancel();
    clock.advanceBy(100);
    expect(clock.pending).toBe(0);
  });

  it('does not call back what was cancelled, in the same turn too', () => {
    const wheel = new TimerWheel(100, clock);
    const calls: string[] = [];
    const timers: WheelTimer[] = [];
    wheel.schedule(100, () => {
      calls.push('first');
      for (const timer of timers) timer.cancel();
    });
    timers.push(wheel.schedule(100, () => calls.push('second')));
    clock.advanceBy(1000);
    expect(calls).toEqual(['first']);
  });

  it('lets a callback schedule another one, with any delay', () => {
    const wheel = new TimerWheel(100, clock);
    let beats = 0;
    const beat = (): void => {
      beats += 1;
      wheel.schedule(0, beat);
    };
    wheel.schedule(0, beat);
    clock.advanceBy(1000);
    expect(beats).toBe(10);
    wheel.close();
    clock.advanceBy(1000);
    expect(beats).toBe(10);
    expect(clock.pending).toBe(0);
  });

  it('starts again after all timers were due', () => {
    const wheel = new TimerWheel(100, clock);
    const calls: number[] = [];
    wheel.schedule(100, () => calls.push(1));
    clock.advanceBy(500);
    expect(clock.pending).toBe(0);
    wheel.schedule(100, () => calls.push(2));
    clock.advanceBy(500);
    expect(calls).toEqual([1, 2]);
  });

  it('catches up after the process has slept', () => {
    const wheel = new TimerWheel(100, clock);
    const calls: string[] = [];
    for (const delay of [5000, 100, 300]) wheel.schedule(delay, () => calls.push(String(delay)));
    clock.advanceBy(6000);
    expect(calls).toEqual(['100', '300', '5000']);
  });

  it('calls back after the sockets are read when the event loop has stood still', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = (await once(server, 'connection')) as [Socket];
    const order: string[] = [];
    peer.once('data', () => order.push('data'));
    const wheel = new TimerWheel();
    const called = new Promise<void>((resolve) => wheel.schedule(200, () => (order.push('timer'), resolve())));
    client.write('pong');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    await called;
    for (const socket of [client, peer]) socket.destroy();
    server.close();
    expect(order).toEqual(['data', 'timer']);
  });
});
