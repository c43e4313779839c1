/**
 * A clock that stands still until a test advances it.
 *
 *  1. Timers are called in the order of their times, each at its own time: a deadline that passes during `advance` is
 *     applied when it passes, not late.
 *  2. After each timer `advance` waits until what the timer began has come to rest.
 */
import type { Clock, ClockTimer } from '../notification/pacing/clock.js';
import { Date, monotonicMs, setImmediate } from '../notification/pacing/time-source.js';

interface Timer {
  due: number;
  readonly everyMs?: number;
  /** Time does not stop for it: it is called once at the end of `advance`, however often it came due. */
  readonly lazy?: boolean;
  readonly callback: () => void;
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The store sets its timers a trifle late, so that rounding never makes them early. */
const ROUNDING_MS = 0.1;

/** Milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'2d'`. */
export type Duration = number | `${number}${keyof typeof UNITS}`;

export class TestClock implements Clock {
  private passedMs = 0;
  private readonly timers = new Set<Timer>();
  private readonly startedAt: number;
  private readonly monotonicStart = monotonicMs();

  /** @param startAt what the clock shows at first. @default the present */
  constructor(startAt: number | InstanceType<typeof Date> = Date.now()) {
    this.startedAt = Number(startAt);
  }

  now(): number {
    return this.startedAt + this.passedMs;
  }

  monotonicMs(): number {
    return this.monotonicStart + this.passedMs;
  }

  after(delayMs: number, callback: () => void): ClockTimer {
    return this.add({ due: this.passedMs + Math.max(delayMs, 0), callback });
  }

  every(intervalMs: number, callback: () => void): ClockTimer {
    return this.add({ due: this.passedMs + intervalMs, everyMs: intervalMs, callback });
  }

  /** Calls back after an `advance` in which an interval has ended: for upkeep that need not happen at a time of its own. */
  upkeep(intervalMs: number, callback: () => void): ClockTimer {
    return this.add({ due: this.passedMs + intervalMs, everyMs: intervalMs, lazy: true, callback });
  }

  /** How many timers are set. */
  get pending(): number {
    return this.timers.size;
  }

  /**
   * Lets time pass, and waits until whatever came due has been done.
   *
   * @param duration for example `'1h'`, or milliseconds
   * @throws TypeError for anything else
   * @example await clock.advance('1h');
   */
  async advance(duration: Duration): Promise<void> {
    const until = this.passedMs + toMs(duration);
    await atRest();
    for (let next = this.next(until); next; next = this.next(until)) {
      this.fire(next);
      await atRest();
    }
    this.passedMs = Math.max(this.passedMs, until);
    for (const timer of this.timers) {
      if (!timer.lazy || timer.due > until) continue;
      timer.due = until + (timer.everyMs ?? 0);
      timer.callback();
    }
    await atRest();
  }

  /** The same without waiting: for code that does its work within the timer's callback. */
  advanceBy(duration: Duration): void {
    const until = this.passedMs + toMs(duration);
    for (let next = this.next(until); next; next = this.next(until)) this.fire(next);
    this.passedMs = Math.max(this.passedMs, until);
  }

  private add(timer: Timer): ClockTimer {
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }

  /** The earliest timer up to a time, of equal ones that which was set first. */
  private next(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.timers)
      if (!timer.lazy && timer.due <= until + ROUNDING_MS && (!next || timer.due < next.due)) next = timer;
    return next;
  }

  private fire(timer: Timer): void {
    this.passedMs = Math.max(this.passedMs, timer.due);
    if (timer.everyMs === undefined) this.timers.delete(timer);
    else timer.due += timer.everyMs;
    timer.callback();
  }
}

/** Turns of the event loop within which the store of a test answers, and those who waited for it act on the answer. */
const TURNS = 20;

/** Nothing of a test's service waits for anything but turns of the event loop: it has no socket, file or thread. */
async function atRest(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

function toMs(duration: Duration): number {
  if (typeof duration === 'number' && duration >= 0) return duration;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? [];
  if (amount === undefined || unit === undefined)
    throw new TypeError(`a duration is milliseconds, or a number and a unit (ms, s, m, h, d), not ${String(duration)}`);
  return Number(amount) * UNITS[unit as keyof typeof UNITS];
}
