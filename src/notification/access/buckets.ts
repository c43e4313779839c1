/**
 * Token buckets by name. The names that were used last are remembered, at least half of `REMEMBERED` and at most all of it, in
 * two generations: to move each name to the end of one map at each use would cost more the more names there are.
 */
import { TokenBucket } from '../pacing/token-bucket.js';

const REMEMBERED = 50_000;

export class Buckets {
  private recent = new Map<string, TokenBucket>();
  private earlier: ReadonlyMap<string, TokenBucket> = new Map();

  constructor(
    /** Tokens a second. */
    private readonly rate: number,
    private readonly burst: number,
  ) {}

  of(name: string): TokenBucket {
    const known = this.recent.get(name);
    if (known) return known;
    const bucket = this.earlier.get(name) ?? new TokenBucket(this.rate, this.burst);
    if (this.recent.size >= REMEMBERED / 2) {
      this.earlier = this.recent;
      this.recent = new Map();
    }
    this.recent.set(name, bucket);
    return bucket;
  }

  take(name: string): boolean {
    return this.of(name).take();
  }

  isEmpty(name: string): boolean {
    return (this.recent.get(name) ?? this.earlier.get(name))?.isEmpty() ?? false;
  }
}
