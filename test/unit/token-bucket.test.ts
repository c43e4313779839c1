import fc from 'fast-check';
import { TokenBucket } from '../../src/notification/pacing/token-bucket.js';

describe('a token bucket', () => {
  it('gives its burst at once and its rate after that', () => {
    let now = 0;
    const bucket = new TokenBucket(10, 3, () => now);
    expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, true, false]);
    now += 99;
    expect(bucket.take()).toBe(false);
    now += 1;
    expect([bucket.take(), bucket.take()]).toEqual([true, false]);
  });

  it('fills no further than its burst', () => {
    let now = 0;
    const bucket = new TokenBucket(1000, 2, () => now);
    now += 3_600_000;
    expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, false]);
  });

  it('reports that it is empty without taking a token', () => {
    const bucket = new TokenBucket(1, 1, () => 0);
    expect([bucket.isEmpty(), bucket.isEmpty(), bucket.take(), bucket.isEmpty()]).toEqual([false, false, true, true]);
  });

  it('never gives more than its burst and what has trickled in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.nat(50), { maxLength: 200 }),
        (rate, burst, pauses) => {
          let now = 0;
          const bucket = new TokenBucket(rate, burst, () => now);
          let taken = 0;
          for (const pause of pauses) {
            now += pause;
            if (bucket.take()) taken += 1;
          }
          expect(taken).toBeLessThanOrEqual(burst + (now / 1000) * rate + 1e-6);
        },
      ),
      { seed: 1 },
    );
  });
});
