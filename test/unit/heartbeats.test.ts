import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import { Heartbeats } from '../../src/notification/task/heartbeats.js';
import { TestClock } from '../../src/testing/test-clock.js';

let clock: TestClock;

describe('heartbeats', () => {
  let beats: string[];
  let heartbeats: Heartbeats;
  beforeEach(() => {
    clock = new TestClock();
    beats = [];
    heartbeats = new Heartbeats(new TimerWheel(100, clock), (userId, taskId) => beats.push(`${userId} ${taskId}`));
  });

  it('begin at once, and go on every interval until the handle stops them', () => {
    const handle = heartbeats.start('ann', 'task', 1000);
    expect(beats).toEqual(['ann task']);
    clock.advanceBy(3400);
    expect(beats).toHaveLength(4);
    handle.stop();
    handle.stop();
    clock.advanceBy(10_000);
    expect([beats.length, clock.pending]).toEqual([4, 0]);
  });

  it('of one task are independent of each other, and all end with the task', () => {
    const first = heartbeats.start('ann', 'task', 1000);
    heartbeats.start('bob', 'task', 1000);
    heartbeats.start('ann', 'other', 1000);
    first.stop();
    heartbeats.stopTask('task');
    beats = [];
    clock.advanceBy(1200);
    expect(beats).toEqual(['ann other']);
  });

  it('that are leased end with the lease, unless it is renewed', () => {
    heartbeats.lease('ann', 'task', 1000, 2500);
    clock.advanceBy(2000);
    heartbeats.lease('ann', 'task', 1000, 2500);
    clock.advanceBy(2400);
    expect(beats.length).toBeGreaterThanOrEqual(4);
    const before = beats.length;
    clock.advanceBy(10_000);
    expect(beats.length - before).toBeLessThanOrEqual(1);
    expect(clock.pending).toBe(0);
  });

  it('that are leased with another interval begin anew with it', () => {
    heartbeats.lease('ann', 'task', 60_000, 600_000);
    heartbeats.lease('ann', 'task', 1000, 600_000);
    expect(beats).toHaveLength(2);
    clock.advanceBy(5500);
    expect(beats).toHaveLength(7);
  });

  it('end with the service, and none begins any more', () => {
    heartbeats.start('ann', 'task', 1000);
    heartbeats.lease('ann', 'other', 1000, 60_000);
    heartbeats.close();
    clock.advanceBy(5000);
    expect(beats).toHaveLength(2);
    expect(() => heartbeats.start('ann', 'task', 1000)).toThrow('closed');
    expect(() => heartbeats.lease('ann', 'task', 1000, 1000)).toThrow('closed');
  });

  it('of ten thousand tasks cost one timer', () => {
    for (let task = 0; task < 10_000; task += 1) heartbeats.start('ann', String(task), 30_000);
    expect(clock.pending).toBe(1);
  });
});
