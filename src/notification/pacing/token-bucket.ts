/** A token bucket: `burst` at once, `rate` per second after that. */
import { performance } from './time-source.js';

/** One function for all buckets: there is one for each connection. */
const systemNow = (): number => performance.now();

export class TokenBucket {
  private tokens: number;
  private updatedAt: number;

  constructor(
    private readonly rate: number,
    private readonly burst: number,
    private readonly now: () => number = systemNow,
  ) {
    this.tokens = burst;
    this.updatedAt = now();
  }

  /** Takes one token. `false`: there was none. */
  take(): boolean {
    if (this.isEmpty()) return false;
    this.tokens -= 1;
    return true;
  }

  /** Takes tokens even if there are too few. The balance may become negative, and later callers wait. */
  owe(tokens: number): void {
    this.tokens -= tokens;
  }

  /** Until there is a token to take, in milliseconds. */
  waitMs(): number {
    return this.isEmpty() ? ((1 - this.tokens) / this.rate) * 1000 : 0;
  }

  /** Whether there is no token to take. */
  isEmpty(): boolean {
    const now = this.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.updatedAt) / 1000) * this.rate);
    this.updatedAt = now;
    return this.tokens < 1;
  }
}
