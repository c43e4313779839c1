import { StoreClock } from '../../src/notification/engine/embedded/store-clock.js';

const NOON = 1_800_000_000_000;

/** A store's clock over two clocks that the test sets: the wall clock, and the monotonic one. */
function makeClock(): { clock: StoreClock; time: { wall: number; monotonic: number; readingMs: number } } {
  const time = { wall: NOON, monotonic: 5000.25, readingMs: 0 };
  const clock = new StoreClock(
    () => time.wall,
    () => (time.monotonic += time.readingMs),
  );
  return { clock, time };
}

describe('the clock of the embedded store', () => {
  it('shows the time of day at first, and goes at the pace of the monotonic clock', () => {
    const { clock, time } = makeClock();
    expect(clock.now()).toBe(NOON);
    time.monotonic += 1500;
    expect(clock.now()).toBe(NOON + 1500);
    expect(clock.at(time.monotonic + 500)).toBe(NOON + 2000);
  });

  it.each([3_600_000, -3_600_000])('does not follow a jump of the wall clock by %p ms until the jump is adopted', (jump) => {
    const { clock, time } = makeClock();
    time.monotonic += 1000;
    time.wall += 1000 + jump;
    expect(clock.now()).toBe(NOON + 1000);
    expect(clock.jump).toBe(jump);
    clock.adopt(jump);
    expect(clock.jump).toBe(0);
    expect(clock.now()).toBe(time.wall);
  });

  it('takes a deviation below 100 ms for none, and one of 100 ms for a jump', () => {
    const { clock, time } = makeClock();
    for (const [deviation, jump] of [
      [99, 0],
      [-99, 0],
      [100, 100],
      [-100, -100],
    ] as const) {
      time.wall = NOON + deviation;
      expect(clock.jump).toBe(jump);
    }
  });

  it('takes two readings of which the thread was interrupted for no jump', () => {
    const { clock, time } = makeClock();
    time.wall += 60_000;
    time.readingMs = 6;
    expect(clock.jump).toBe(0);
    time.readingMs = 1;
    expect(clock.jump).toBeGreaterThan(59_900);
  });

  it('has shown a time at the moment that it names for it, before and after a jump', () => {
    const { clock } = makeClock();
    for (const jump of [0, 12_345.678, -98_765.4]) {
      clock.adopt(jump);
      for (const time of [NOON, NOON + 1, NOON + 777]) {
        expect(clock.at(clock.momentOf(time))).toBe(time);
        expect(clock.at(clock.momentOf(time) - 1)).toBeLessThan(time);
      }
    }
  });
});
