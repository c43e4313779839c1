/** Whether the event loop of this thread has had idle time lately. */
import { performance } from './time-source.js';

/** Over a shorter time any loop that is at work has no idle time. */
const WINDOW_MS = 50;
const BUSY = 0.95;

export class LoopLoad {
  private readAt = performance.now();
  private reading = performance.eventLoopUtilization();
  private busy = false;

  /** Reads the load since the last reading, at most once in `WINDOW_MS`. */
  isBusy(): boolean {
    const now = performance.now();
    if (now - this.readAt < WINDOW_MS) return this.busy;
    const reading = performance.eventLoopUtilization();
    this.busy = performance.eventLoopUtilization(reading, this.reading).utilization > BUSY;
    [this.readAt, this.reading] = [now, reading];
    return this.busy;
  }
}
