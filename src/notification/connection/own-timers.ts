/** The timers of one owner, at most one of each name. They end with it. */
import type { WheelTimer } from '../pacing/timer-wheel.js';

export class OwnTimers<Name extends string> {
  private readonly timers = new Map<Name, WheelTimer>();
  private closed = false;

  /** Replaces an earlier timer of this name. */
  keep(name: Name, timer: WheelTimer): void {
    this.drop(name);
    if (this.closed) timer.cancel();
    else this.timers.set(name, timer);
  }

  drop(name: Name): void {
    this.timers.get(name)?.cancel();
    this.timers.delete(name);
  }

  /** Cancels all of them, and every timer that is given later. */
  close(): void {
    this.closed = true;
    for (const name of [...this.timers.keys()]) this.drop(name);
  }
}
