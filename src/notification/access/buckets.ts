/** Token buckets by name, for as many names as are remembered; the one that was not used for longest is forgotten. */
import { TokenBucket } from '../pacing/token-bucket.js';

const REMEMBERED = 50_000;

export class Buckets {
  private readonly byName = new Map<string, TokenBucket>();

  constructor(
    /** Tokens a second. */
    private readonly rate: number,
    private readonly burst: number,
  ) {}

  of(name: string): TokenBucket {
    const bucket = this.byName.get(name) ?? new TokenBucket(this.rate, this.burst);
    this.byName.delete(name);
    this.byName.set(name, bucket);
    const [oldest] = this.byName.keys();
    if (this.byName.size > REMEMBERED && oldest !== undefined) this.byName.delete(oldest);
    return bucket;
  }

  take(name: string): boolean {
    return this.of(name).take();
  }

  isEmpty(name: string): boolean {
    return this.byName.get(name)?.isEmpty() ?? false;
  }
}
