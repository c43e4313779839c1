import type { PublishRequest, PublishResult } from '../../src/notification/engine/broker.js';
import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import { Heartbeats } from '../../src/notification/task/heartbeats.js';
import { TestClock } from '../../src/testing/test-clock.js';

let clock: TestClock;

describe('task heartbeats', () => {
  let sent: string[];
  let heartbeats: Heartbeats;
  beforeEach(() => {
    clock = new TestClock();
    sent = [];
    const publish = async ({ message }: PublishRequest): Promise<PublishResult> => {
      sent.push(`${String(message['user_id'])} ${String(message['task_id'])}`);
      return { deliveredTo: 1 };
    };
    heartbeats = new Heartbeats(new TimerWheel(100, clock), { publish }, clock);
  });

  it('a heartbeat is sent at once, then every interval, until its handle stops it', () => {
    const handle = heartbeats.start('ann', 'task', 1000);
    expect(sent).toEqual(['ann task']);
    clock.advanceBy(3400);
    expect(sent).toHaveLength(4);
    handle.stop();
    handle.stop();
    clock.advanceBy(10_000);
    expect([sent.length, clock.pending]).toEqual([4, 0]);
  });

  it('heartbeats of one task stop one by one by their handles, and all together with the task', () => {
    const first = heartbeats.start('ann', 'task', 1000);
    heartbeats.start('bob', 'task', 1000);
    heartbeats.start('ann', 'other', 1000);
    first.stop();
    heartbeats.stopTask('task');
    sent = [];
    clock.advanceBy(1200);
    expect(sent).toEqual(['ann other']);
  });

  it('a leased heartbeat ends with its lease, unless the lease is renewed', () => {
    heartbeats.lease('ann', 'task', 1000, 2500);
    clock.advanceBy(2000);
    heartbeats.lease('ann', 'task', 1000, 2500);
    clock.advanceBy(2400);
    expect(sent.length).toBeGreaterThanOrEqual(4);
    const before = sent.length;
    clock.advanceBy(10_000);
    expect(sent.length - before).toBeLessThanOrEqual(1);
    expect(clock.pending).toBe(0);
  });

  it('a lease with another interval replaces the heartbeat and its interval', () => {
    heartbeats.lease('ann', 'task', 60_000, 600_000);
    heartbeats.lease('ann', 'task', 1000, 600_000);
    expect(sent).toHaveLength(2);
    clock.advanceBy(5500);
    expect(sent).toHaveLength(7);
  });

  it('all heartbeats end with the service, and none starts after that', () => {
    heartbeats.start('ann', 'task', 1000);
    heartbeats.lease('ann', 'other', 1000, 60_000);
    heartbeats.close();
    clock.advanceBy(5000);
    expect(sent).toHaveLength(2);
    expect(() => heartbeats.start('ann', 'task', 1000)).toThrow('closed');
    expect(() => heartbeats.lease('ann', 'task', 1000, 1000)).toThrow('closed');
  });

  it('heartbeats of ten thousand tasks share one timer', () => {
    for (let task = 0; task < 10_000; task += 1) heartbeats.start('ann', String(task), 30_000);
    expect(clock.pending).toBe(1);
  });
});
