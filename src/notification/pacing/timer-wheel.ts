/**
 * Many repeating or one-off deadlines for the price of one timer, which runs only while something is due.
 * Precise to one tick: a callback comes at its time or up to one tick later.
 */
import { systemClock, type Clock, type ClockTimer } from './clock.js';
import { setImmediate } from './time-source.js';

/** A wheel that is so late has stood still. */
const STALLED_MS = 1000;

export interface WheelTimer {
  cancel(): void;
}

class Entry<Target> implements WheelTimer {
  constructor(
    private readonly wheel: TimerWheel,
    readonly tick: number,
    private readonly callback: (target: Target) => void,
    private readonly target: Target,
  ) {}

  run(): void {
    this.callback(this.target);
  }

  cancel(): void {
    this.wheel.remove(this);
  }
}

/** What the wheel needs of an entry, whatever its target. */
type Due = Pick<Entry<never>, 'tick' | 'run'>;

export class TimerWheel {
  private readonly slots = new Map<number, Set<Due>>();
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

  /** Calls back once, `delayMs` from now. Connections share one `callback` and pass themselves as `target`: each then needs no closure. */
  schedule(delayMs: number, callback: () => void): WheelTimer;
  schedule<Target>(delayMs: number, callback: (target: Target) => void, target: Target): WheelTimer;
  schedule<Target>(delayMs: number, callback: (target: Target) => void, target?: Target): WheelTimer {
    if (!this.timer) this.start();
    const due = Math.ceil((this.now() - this.startedAt + delayMs) / this.tickMs);
    const entry = new Entry(this, Math.max(due, this.tick + 1), callback, target as Target);
    const slot = this.slots.get(entry.tick);
    if (slot) slot.add(entry);
    else this.slots.set(entry.tick, new Set([entry]));
    this.size += 1;
    return entry;
  }

  /** Cancels everything. */
  close(): void {
    this.slots.clear();
    this.size = 0;
    this.stop();
  }

  /** Cancels a timer. @returns whether it was still to come */
  remove(timer: Due): boolean {
    const slot = this.slots.get(timer.tick);
    if (!slot?.delete(timer)) return false;
    this.size -= 1;
    if (slot.size === 0) this.slots.delete(timer.tick);
    return true;
  }

  private start(): void {
    this.tick = 0;
    this.startedAt = this.now();
    this.timer = this.clock.every(this.tickMs, () => this.turn());
  }

  /** After a stall of the event loop the sockets are read first: what is awaited may lie in them. */
  private turn(): void {
    const isLate = this.now() - this.startedAt - this.tick * this.tickMs > STALLED_MS;
    if (isLate) setImmediate(() => this.advance());
    else this.advance();
  }

  private advance(): void {
    const now = Math.floor((this.now() - this.startedAt) / this.tickMs);
    while (this.tick < now) {
      this.tick += 1;
      const slot = this.slots.get(this.tick);
      if (!slot) continue;
      // A callback may cancel another of the same slot, or schedule a new one, which goes to a later slot.
      for (const entry of slot) {
        if (this.remove(entry)) entry.run();
      }
    }
    if (this.size === 0) this.stop();
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
