/** The time by which deadlines and periodic work go: the system's, or in a test one that stands still until it is advanced. */
import { clearInterval, clearTimeout, Date, monotonicMs, setInterval, setTimeout } from './time-source.js';

/** The longest time-out that Node keeps; a longer one would be over at once. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export interface ClockTimer {
  cancel(): void;
}

export interface Clock {
  /** The wall clock, Unix milliseconds. It may jump. */
  now(): number;
  /** Milliseconds that only run forward. */
  monotonicMs(): number;
  /** Calls back once, `delayMs` from now, or after `LONGEST_TIMEOUT_MS` where that is earlier. Keeps no process running. */
  after(delayMs: number, callback: () => void): ClockTimer;
  /** Calls back every `intervalMs`. Keeps no process running. */
  every(intervalMs: number, callback: () => void): ClockTimer;
}

/** DI token of the same name as the interface. */
export const Clock = Symbol('Clock');

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.ceil(delayMs), LONGEST_TIMEOUT_MS)).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(intervalMs, callback) {
    const timer = setInterval(callback, intervalMs).unref();
    return { cancel: () => clearInterval(timer) };
  },
};
