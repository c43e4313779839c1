/** A connection's round-trip times: the last one, and how much they vary. */

/** How much of a new value the mean and the spread take up, as in RFC 6298. */
const MEAN_GAIN = 1 / 8;
const SPREAD_GAIN = 1 / 4;

export class RoundTrips {
  /** Of the last protocol-level ping, in milliseconds; `undefined` before the first pong. */
  lastMs: number | undefined;
  /** The smoothed distance from the mean, in milliseconds; `undefined` before the second pong. */
  spreadMs: number | undefined;
  private meanMs: number | undefined;

  /** @param ms from a ping to its pong */
  record(ms: number): void {
    this.lastMs = ms;
    if (this.meanMs === undefined) {
      this.meanMs = ms;
      return;
    }
    const distance = Math.abs(ms - this.meanMs);
    this.spreadMs = this.spreadMs === undefined ? distance : this.spreadMs + (distance - this.spreadMs) * SPREAD_GAIN;
    this.meanMs += (ms - this.meanMs) * MEAN_GAIN;
  }
}
