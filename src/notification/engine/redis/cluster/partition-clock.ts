/**
 * What a partition's clock shows, by this node's monotonic clock: bounds, as replies take their time. A clock that leaves
 * them has jumped.
 */

/** By how much two clocks may drift apart, per millisecond: ten times what they are allowed to. */
const DRIFT = 0.001;
/** What deviates by less is no jump. */
const JUMP_MS = 100;

export class PartitionClock {
  /** Its time less ours, at least and at most. */
  private low = -Infinity;
  private high = Infinity;
  private sampledAt = 0;

  /**
   * The clock showed `now` between two moments of ours.
   * @returns by how much it has jumped; then the sample has not been taken. 0: it has not
   */
  sample(now: number, sentAt: number, receivedAt: number): number {
    const drift = (receivedAt - this.sampledAt) * DRIFT;
    // It shows whole milliseconds.
    const [low, high] = [now - receivedAt, now + 1 - sentAt];
    if (low > this.high + drift + JUMP_MS) return Math.round(low - this.high);
    if (high < this.low - drift - JUMP_MS) return Math.round(high - this.low);
    this.low = Math.max(low, this.low - drift);
    this.high = Math.min(high, this.high + drift);
    this.sampledAt = receivedAt;
    return 0;
  }

  /** Takes the clock as it is. */
  reset(now: number, sentAt: number, receivedAt: number): void {
    this.low = -Infinity;
    this.high = Infinity;
    this.sample(now, sentAt, receivedAt);
  }

  /** What it showed at a moment of ours, at least; `undefined` as long as nothing is known. */
  at(moment: number): number | undefined {
    return Number.isFinite(this.low) ? Math.floor(this.low + moment) : undefined;
  }

  /** A moment of ours at which it shows a time, at the earliest. */
  momentOf(time: number): number {
    return Number.isFinite(this.low) ? time - this.low + 0.01 : 0;
  }
}
