/**
 * The store's clock shows the time of day and runs at the pace of the monotonic clock. When the wall clock jumps against
 * that, the store adopts the jump together with the deadlines that it moves (`Store.followClock`).
 */
import { Date, monotonicMs } from '../../pacing/time-source.js';

/** What deviates by less is no jump. */
const JUMP_MS = 100;
/** Two readings of clocks that lie further apart say nothing about each other. */
const APART_MS = 5;

export class StoreClock {
  /** The wall clock less the monotonic clock. */
  private ahead: number;

  constructor(
    private readonly wall: () => number = Date.now,
    private readonly monotonic: () => number = monotonicMs,
  ) {
    this.ahead = wall() - monotonic();
  }

  /** Unix milliseconds, whole ones. */
  now(): number {
    return this.at(this.monotonic());
  }

  /** What the clock shows at a monotonic moment. */
  at(moment: number): number {
    return Math.floor(this.ahead + moment);
  }

  /** The monotonic moment at which the clock shows a time; a trifle later, so that rounding never makes it earlier. */
  momentOf(time: number): number {
    return time - this.ahead + 0.01;
  }

  /** By how much the wall clock has jumped; 0 where it has not. */
  get jump(): number {
    const before = this.monotonic();
    const wall = this.wall();
    if (this.monotonic() - before > APART_MS) return 0;
    const deviation = Math.round(wall - (this.ahead + before));
    return Math.abs(deviation) < JUMP_MS ? 0 : deviation;
  }

  adopt(jump: number): void {
    this.ahead += jump;
  }
}
