/** The test's clock as one process of the application sees it: its timers end with the process. */
import type { Clock, ClockTimer } from '../notification/pacing/clock.js';
import type { TimerWheel, WheelTimer } from '../notification/pacing/timer-wheel.js';
import type { TestClock } from './test-clock.js';

export class ProcessClock implements Clock {
  private readonly timers = new Set<ClockTimer>();
  private ended = false;

  constructor(private readonly clock: TestClock) {}

  now(): number {
    return this.clock.now();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): ClockTimer {
    const timer = this.clock.after(delayMs, () => {
      this.timers.delete(timer);
      callback();
    });
    return this.track(timer);
  }

  /** Repeats the engine's upkeep. No time that is promised depends on it. */
  every(intervalMs: number, callback: () => void): ClockTimer {
    return this.track(this.clock.upkeep(intervalMs, callback));
  }

  /** The process is gone: nothing of it is called any more. */
  end(): void {
    this.ended = true;
    for (const timer of this.timers) timer.cancel();
  }

  private track(timer: ClockTimer): ClockTimer {
    if (this.ended) timer.cancel();
    else this.timers.add(timer);
    return {
      cancel: () => {
        this.timers.delete(timer);
        timer.cancel();
      },
    };
  }
}

/** In the place of the timer wheel, without its ticks: an hour is one step, not 36 000. */
export class ExactWheel implements Pick<TimerWheel, 'schedule' | 'now' | 'close'> {
  private readonly timers = new Set<ClockTimer>();

  constructor(private readonly clock: Clock) {}

  now(): number {
    return this.clock.monotonicMs();
  }

  schedule(delayMs: number, callback: () => void): WheelTimer;
  schedule<Target>(delayMs: number, callback: (target: Target) => void, target: Target): WheelTimer;
  schedule<Target>(delayMs: number, callback: (target: Target) => void, target?: Target): WheelTimer {
    const timer = this.clock.after(delayMs, () => {
      this.timers.delete(timer);
      callback(target as Target);
    });
    this.timers.add(timer);
    return timer;
  }

  close(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}
