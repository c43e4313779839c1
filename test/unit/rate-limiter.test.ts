import { RateLimiter } from '../../src/notification/gateway/rate-limiter.js';
import { fakeConnection } from '../support/fake-connection.js';

const { jest } = import.meta;

describe('the limit on a connection’s frames', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
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
    const limiter = new RateLimiter(connection, { rateLimit: 10, rateBurst: 1 });
    for (let frame = 0; frame < 21; frame += 1) {
      limiter.admits();
      jest.advanceTimersByTime(50);
    }
    expect(connection.isOpen).toBe(true);
    jest.advanceTimersByTime(1000);
    for (let frame = 0; frame < 21; frame += 1) {
      limiter.admits();
      jest.advanceTimersByTime(50);
    }
    expect(connection.isOpen).toBe(true);
    for (let frame = 0; frame < 4; frame += 1) {
      limiter.admits();
      jest.advanceTimersByTime(50);
    }
    expect(connection.isOpen).toBe(false);
  });
});
