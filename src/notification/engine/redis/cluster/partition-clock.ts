/**
 * What the clock of a partition shows, by this node's monotonic clock. A reply takes its time, so the difference between the two
 * clocks is known as bounds. A clock that leaves its bounds has jumped.
 */
import type { Arrival } from '../../deadlines.js';

/** By how much two clocks may drift apart, per millisecond: ten times the drift that clocks are allowed. */
const DRIFT = 0.001;
/** A smaller deviation is no jump. */
const JUMP_MS = 100;

export class PartitionClock {
  /** The partition's time less the node's, at least and at most. */
  private low = -Infinity;
  private high = Infinity;
  private sampledAt = 0;

  /**
   * The clock showed `now` between two moments of this node.
   * @returns by how much the clock has jumped, in which case the sample is not taken; 0 for no jump
   */
  sample(now: number, sentAt: number, receivedAt: number): number {
    const drift = (receivedAt - this.sampledAt) * DRIFT;
    // The clock shows whole milliseconds.
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

  /** The least that the clock showed at a moment of this node; `undefined` before the first sample. */
  at(moment: number): number | undefined {
    return Number.isFinite(this.low) ? Math.floor(this.low + moment) : undefined;
  }

  /** The earliest moment of this node at which the clock shows a time. */
  momentOf(time: number): number {
    return Number.isFinite(this.low) ? time - this.low + 0.01 : 0;
  }
}

/** The clocks of all partitions. */
export class PartitionClocks {
  private readonly clocks: readonly PartitionClock[];

  constructor(count: number) {
    this.clocks = Array.from({ length: count }, () => new PartitionClock());
  }

  of(partition: number): PartitionClock {
    const clock = this.clocks[partition];
    if (!clock) throw new RangeError(`there is no partition ${partition}`);
    return clock;
  }

  /** When something reached this node, by the partition's clock; `undefined` for now. */
  arrivedAt(partition: number, arrival: Arrival | undefined): number | undefined {
    return arrival && this.of(partition).at(arrival.earliest);
  }
}
