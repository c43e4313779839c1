/**
 * Log lines that may repeat without end: of each kind one line a minute, with the count of those that were left out before it.
 * The kinds that are remembered are bounded; the oldest makes room.
 */
import { monotonicMs } from './time-source.js';

const QUIET_MS = 60_000;
const MOST_KINDS = 1000;

interface Kind {
  loggedAt: number;
  /** Those since the last line. */
  leftOut: number;
}

export class QuietLog {
  private readonly kinds = new Map<string, Kind>();

  constructor(
    private readonly write: (message: string) => void,
    private readonly now: () => number = monotonicMs,
  ) {}

  /**
   * @param kind what counts as the same line, however the messages differ
   * @param message the line; or its maker, which gets the count of this and all that were left out
   * @param count how many this call stands for
   * @returns whether a line was written
   */
  log(kind: string, message: string | ((count: number) => string), count = 1): boolean {
    const known = this.kinds.get(kind);
    if (known && this.now() - known.loggedAt < QUIET_MS) {
      known.leftOut += count;
      return false;
    }
    const leftOut = known?.leftOut ?? 0;
    this.kinds.delete(kind);
    this.kinds.set(kind, { loggedAt: this.now(), leftOut: 0 });
    const [oldest] = this.kinds.keys();
    if (this.kinds.size > MOST_KINDS && oldest !== undefined) this.kinds.delete(oldest);
    if (typeof message === 'function') this.write(message(leftOut + count));
    else this.write(leftOut > 0 ? `${message} (and ${leftOut} more before it)` : message);
    return true;
  }

  /** Every line is news again. */
  reset(): void {
    this.kinds.clear();
  }
}
