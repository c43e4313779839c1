import { TokenBucket } from '../../src/notification/pacing/token-bucket.js';
import { RateLimiter } from '../../src/notification/gateway/rate-limiter.js';
import { fakeConnection } from '../support/fake-connection.js';
import { TestClock } from '../../src/testing/test-clock.js';

let clock: TestClock;

describe('the limit on a connection’s frames', () => {
  beforeEach(() => {
    clock = new TestClock();
  });

  it('says so for as many frames as it allows in a second, then closes', async () => {
    const { connection, calls, messages } = fakeConnection();
    const limiter = new RateLimiter(connection, { rateLimit: 5, rateBurst: 2 });
    const admitted = Array.from({ length: 8 }, () => limiter.admits());
    expect(admitted).toEqual([true, true, false, false, false, false, false, false]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(messages().map(({ code }) => code)).toEqual(Array(5).fill('RATE_LIMITED'));
    expect(connection.replies).toBe(0);
    expect(connection.isOpen).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls.filter((call) => call.startsWith('close'))).toEqual(['close 1008 rate limit exceeded']);
  });

  it('is not forgotten because a token trickles in, only after a second without a refusal', () => {
    const { connection } = fakeConnection();
    const now = (): number => clock.monotonicMs();
    const budget = new TokenBucket(10, 1, now);
    const budgets = { take: () => budget.take(), owe: () => undefined };
    const limiter = new RateLimiter(connection, { rateLimit: 10, rateBurst: 1 }, undefined, budgets, now);
    for (let frame = 0; frame < 21; frame += 1) {
      limiter.admits();
      clock.advanceBy(50);
    }
    expect(connection.isOpen).toBe(true);
    clock.advanceBy(1000);
    for (let frame = 0; frame < 21; frame += 1) {
      limiter.admits();
      clock.advanceBy(50);
    }
    expect(connection.isOpen).toBe(true);
    for (let frame = 0; frame < 4; frame += 1) {
      limiter.admits();
      clock.advanceBy(50);
    }
    expect(connection.isOpen).toBe(false);
  });
});
