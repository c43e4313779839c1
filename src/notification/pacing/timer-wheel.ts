/**
 * Many repeating or one-off deadlines for the price of one timer, which runs only while something is due.
 * Precise to one tick: a callback comes at its time or up to one tick later.
 */
import { systemClock, type Clock, type ClockTimer } from './clock.js';
interface Entry {
  tick: number;
  callback: () => void;
}

export interface WheelTimer {
  cancel(): void;
}

export class TimerWheel {
  private readonly slots = new Map<number, Set<Entry>>();
  private size = 0;
  private tick = 0;
  private timer: ClockTimer | undefined;
  private startedAt = 0;

  constructor(
    private readonly tickMs = 100,
    private readonly clock: Clock = systemClock,
  ) {}

  /** The time by which the wheel turns: milliseconds that only run forward. */
  now(): number {
    return this.clock.monotonicMs();
  }

  /** Calls back once, `delayMs` from now. */
  schedule(delayMs: number, callback: () => void): WheelTimer {
    if (!this.timer) this.start();
    const due = Math.ceil((this.now() - this.startedAt + delayMs) / this.tickMs);
    const entry: Entry = { tick: Math.max(due, this.tick + 1), callback };
    const slot = this.slots.get(entry.tick);
    if (slot) slot.add(entry);
    else this.slots.set(entry.tick, new Set([entry]));
    this.size += 1;
    return { cancel: () => void this.remove(entry) };
  }

  /** Cancels everything. */
  close(): void {
    this.slots.clear();
    this.size = 0;
    this.stop();
  }

  private start(): void {
    this.tick = 0;
    this.startedAt = this.now();
    this.timer = this.clock.every(this.tickMs, () => this.advance());
  }

  private advance(): void {
    const now = Math.floor((this.now() - this.startedAt) / this.tickMs);
    while (this.tick < now) {
      this.tick += 1;
      const slot = this.slots.get(this.tick);
      if (!slot) continue;
      // A callback may cancel another of the same slot, or schedule a new one, which goes to a later slot.
      for (const entry of slot) {
        if (this.remove(entry)) entry.callback();
      }
    }
    if (this.size === 0) this.stop();
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private remove(entry: Entry): boolean {
    const slot = this.slots.get(entry.tick);
    if (!slot?.delete(entry)) return false;
    this.size -= 1;
    if (slot.size === 0) this.slots.delete(entry.tick);
    return true;
  }
}
