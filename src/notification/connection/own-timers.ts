/** The timers of one owner, at most one of each name. They end with it. */
import type { WheelTimer } from '../pacing/timer-wheel.js';

export class OwnTimers<Name extends string> {
  private timers: Partial<Record<string, WheelTimer>> | undefined;
  private closed = false;

  /** Replaces an earlier timer of this name. */
  keep(name: Name, timer: WheelTimer): void {
    this.drop(name);
    if (this.closed) return timer.cancel();
    this.timers ??= {};
    this.timers[name] = timer;
  }

  drop(name: Name): void {
    this.timers?.[name]?.cancel();
    if (this.timers) this.timers[name] = undefined;
  }

  /** Cancels all of them, and every timer that is given later. */
  close(): void {
    this.closed = true;
    for (const timer of Object.values(this.timers ?? {})) timer?.cancel();
    this.timers = undefined;
  }
}
