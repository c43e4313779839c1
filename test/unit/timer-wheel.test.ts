import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';

const { jest } = import.meta;

describe('a timer wheel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('calls back once, at the time or up to one tick later', () => {
    const wheel = new TimerWheel(100);
    const calls: string[] = [];
    wheel.schedule(250, () => calls.push('250'));
    wheel.schedule(1000, () => calls.push('1000'));
    jest.advanceTimersByTime(249);
    expect(calls).toEqual([]);
    jest.advanceTimersByTime(101);
    expect(calls).toEqual(['250']);
    jest.advanceTimersByTime(10_000);
    expect(calls).toEqual(['250', '1000']);
  });

  it('runs one timer for any number, and none when nothing is due', () => {
    const wheel = new TimerWheel();
    expect(jest.getTimerCount()).toBe(0);
    const timers = Array.from({ length: 10_000 }, (_, index) => wheel.schedule(1000 + index, () => undefined));
    expect(jest.getTimerCount()).toBe(1);
    for (const timer of timers) timer.cancel();
    jest.advanceTimersByTime(100);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not call back what was cancelled, in the same turn too', () => {
    const wheel = new TimerWheel(100);
    const calls: string[] = [];
    const second = { cancel: (): void => undefined };
    wheel.schedule(100, () => {
      calls.push('first');
      second.cancel();
    });
    Object.assign(
      second,
      wheel.schedule(100, () => calls.push('second')),
    );
    jest.advanceTimersByTime(1000);
    expect(calls).toEqual(['first']);
  });

  it('takes a callback that schedules anew, whatever its delay', () => {
    const wheel = new TimerWheel(100);
    let beats = 0;
    const beat = (): void => {
      beats += 1;
      wheel.schedule(0, beat);
    };
    wheel.schedule(0, beat);
    jest.advanceTimersByTime(1000);
    expect(beats).toBe(10);
    wheel.close();
    jest.advanceTimersByTime(1000);
    expect(beats).toBe(10);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('begins anew after everything was due', () => {
    const wheel = new TimerWheel(100);
    const calls: number[] = [];
    wheel.schedule(100, () => calls.push(1));
    jest.advanceTimersByTime(500);
    expect(jest.getTimerCount()).toBe(0);
    wheel.schedule(100, () => calls.push(2));
    jest.advanceTimersByTime(500);
    expect(calls).toEqual([1, 2]);
  });

  it('catches up after the process has slept', () => {
    const wheel = new TimerWheel(100);
    const calls: string[] = [];
    for (const delay of [5000, 100, 300]) wheel.schedule(delay, () => calls.push(String(delay)));
    jest.setSystemTime(Date.now() + 60_000);
    jest.advanceTimersByTime(6000);
    expect(calls).toEqual(['100', '300', '5000']);
  });
});
