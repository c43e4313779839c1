import { PartitionClock, PartitionClocks } from '../../src/notification/engine/redis/cluster/partition-clock.js';

/** What the partition's clock shows less what the node's shows. */
const AHEAD = 1_800_000_000_000;

describe('the clock of a partition', () => {
  it('shows nothing before its first sample, and gives no moment that is to come', () => {
    const clock = new PartitionClock();
    expect(clock.at(1000)).toBeUndefined();
    expect(clock.momentOf(AHEAD)).toBe(0);
  });

  it('shows at a moment the least that its samples allow: the reply took all of the time', () => {
    const clock = new PartitionClock();
    expect(clock.sample(AHEAD + 1000, 980, 1010)).toBe(0);
    expect(clock.at(1010)).toBe(AHEAD + 1000);
    expect(clock.at(2010)).toBe(AHEAD + 2000);
  });

  it('knows the time better after a faster reply, and keeps that after a slower one', () => {
    const clock = new PartitionClock();
    clock.sample(AHEAD + 1000, 900, 1100);
    expect(clock.at(1100)).toBe(AHEAD + 1000);
    clock.sample(AHEAD + 1200, 1199, 1201);
    expect(clock.at(1201)).toBe(AHEAD + 1200);
    clock.sample(AHEAD + 1300, 1210, 1400);
    expect(clock.at(1400)).toBeGreaterThanOrEqual(AHEAD + 1398);
  });

  it('reaches a time at the moment that it names for it, not earlier', () => {
    const clock = new PartitionClock();
    clock.sample(AHEAD + 1000, 990.5, 1010.25);
    for (const time of [AHEAD + 1000, AHEAD + 1001, AHEAD + 9999]) {
      expect(clock.at(clock.momentOf(time))).toBe(time);
      expect(clock.at(clock.momentOf(time) - 1)).toBeLessThan(time);
    }
  });

  it.each([3_600_000, -3_600_000, 150, -150])(
    'reports a jump of %p ms, and keeps the time that it knew until it is reset',
    (jump) => {
      const clock = new PartitionClock();
      clock.sample(AHEAD + 1000, 1000, 1000);
      const reported = clock.sample(AHEAD + 2000 + jump, 2000, 2000);
      expect(Math.abs(reported - jump)).toBeLessThanOrEqual(2);
      expect(clock.at(2000)).toBe(AHEAD + 2000);
      clock.reset(AHEAD + 2000 + jump, 2000, 2000);
      expect(clock.at(2000)).toBe(AHEAD + 2000 + jump);
      expect(clock.sample(AHEAD + 3000 + jump, 3000, 3000)).toBe(0);
    },
  );

  it('takes drift, and a deviation that the length of a reply explains, for no jump', () => {
    const clock = new PartitionClock();
    clock.sample(AHEAD, 0, 0);
    // A minute later it is 50 ms ahead: 0.8 per mille.
    expect(clock.sample(AHEAD + 60_050, 60_000, 60_000)).toBe(0);
    expect(clock.sample(AHEAD + 62_000, 61_000, 63_000)).toBe(0);
    // Sent a second ago, and shown 900 ms earlier than expected at its receipt.
    expect(clock.sample(AHEAD + 64_100, 64_000, 65_000)).toBe(0);
  });

  it('belongs to one partition: the others know nothing of its samples', () => {
    const clocks = new PartitionClocks(2);
    clocks.of(1).sample(AHEAD, 0, 0);
    const arrival = { earliest: 250, handedOver: () => undefined };
    expect(clocks.arrivedAt(1, arrival)).toBe(AHEAD + 250);
    expect(clocks.arrivedAt(0, arrival)).toBeUndefined();
    expect(clocks.arrivedAt(1, undefined)).toBeUndefined();
    expect(() => clocks.of(2)).toThrow(RangeError);
  });
});
