import type { PublishRequest, PublishResult } from '../../src/notification/engine/broker.js';
import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import type { Task, TaskStore } from '../../src/notification/engine/task-store.js';
import { HeartbeatLeases } from '../../src/notification/task/heartbeat-leases.js';
import { TaskHeartbeats } from '../../src/notification/task/task-heartbeats.js';
import { nextTurn } from '../support/fake-connection.js';
import { Heartbeats, type HeartbeatHandle } from '../../src/notification/task/heartbeats.js';
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

  /** Begins a heartbeat of a task that is not cancelled. */
  const start = (userId: string, taskId: string, intervalMs: number): HeartbeatHandle => {
    const handle = heartbeats.start(userId, taskId, intervalMs);
    heartbeats.release(taskId);
    return handle;
  };
  const lease = (userId: string, taskId: string, intervalMs: number, ttlMs: number): void => {
    heartbeats.lease(userId, taskId, intervalMs, ttlMs)(0);
    heartbeats.release(taskId);
  };

  it('a heartbeat is sent at once, then every interval, until its handle stops it', () => {
    const handle = start('ann', 'task', 1000);
    expect(sent).toEqual(['ann task']);
    clock.advanceBy(3400);
    expect(sent).toHaveLength(4);
    handle.stop();
    handle.stop();
    clock.advanceBy(10_000);
    expect([sent.length, clock.pending]).toEqual([4, 0]);
  });

  it('heartbeats of one task stop one by one by their handles, and all together with the task', () => {
    const first = start('ann', 'task', 1000);
    start('bob', 'task', 1000);
    start('ann', 'other', 1000);
    first.stop();
    heartbeats.stopTask('task');
    sent = [];
    clock.advanceBy(1200);
    expect(sent).toEqual(['ann other']);
  });

  it('a leased heartbeat ends with its lease, unless the lease is renewed', () => {
    lease('ann', 'task', 1000, 2500);
    clock.advanceBy(2000);
    lease('ann', 'task', 1000, 2500);
    clock.advanceBy(2400);
    expect(sent.length).toBeGreaterThanOrEqual(4);
    const before = sent.length;
    clock.advanceBy(10_000);
    expect(sent.length - before).toBeLessThanOrEqual(1);
    expect(clock.pending).toBe(0);
  });

  it('a lease with another interval replaces the heartbeat and its interval', () => {
    lease('ann', 'task', 60_000, 600_000);
    lease('ann', 'task', 1000, 600_000);
    expect(sent).toHaveLength(2);
    clock.advanceBy(5500);
    expect(sent).toHaveLength(7);
  });

  it('all heartbeats end with the service, and none starts after that', () => {
    start('ann', 'task', 1000);
    lease('ann', 'other', 1000, 60_000);
    heartbeats.close();
    clock.advanceBy(5000);
    expect(sent).toHaveLength(2);
    expect(() => heartbeats.start('ann', 'task', 1000)).toThrow('closed');
    expect(() => heartbeats.lease('ann', 'task', 1000, 1000)).toThrow('closed');
  });

  it('nothing is sent for a task that is cancelled, at the start and at each renewal of a lease', async () => {
    const claim = async (taskId: string): Promise<Task> => ({ taskId, userId: 'ann', cancelled: true });
    const leases = new HeartbeatLeases(heartbeats, { takeLease: async () => 0 });
    const tasks = new TaskHeartbeats({ claim } as unknown as TaskStore, heartbeats, leases);
    tasks.start('ann', 'task', 1);
    for (let renewal = 0; renewal < 3; renewal += 1) await tasks.lease('ann', 'task', 1, 60);
    await nextTurn();
    clock.advanceBy(5000);
    expect([sent, heartbeats.size]).toEqual([[], 0]);
  });

  it('keep the lease of the last of two nodes that take it at the same time', async () => {
    const nodes = ['first', 'second'].map(
      () => new Heartbeats(new TimerWheel(100, clock), { publish: async () => ({ deliveredTo: 1 }) }, clock),
    );
    const replies: (() => void)[] = [];
    const takeLease = async (): Promise<number> => {
      const order = replies.length + 1;
      await new Promise<void>((resolve) => replies.push(resolve));
      return order;
    };
    const leasing = nodes.map((node) => new HeartbeatLeases(node, { takeLease }).lease('ann', 'task', 1000, 60_000));
    // Each node has the other's event before its own reply.
    nodes[1]?.onLeaseTaken('task', 1);
    nodes[0]?.onLeaseTaken('task', 2);
    for (const reply of replies) reply();
    await Promise.all(leasing);
    expect(nodes.map(({ size }) => size)).toEqual([0, 1]);
    nodes[1]?.onLeaseTaken('task', 3);
    expect(nodes.map(({ size }) => size)).toEqual([0, 0]);
  });

  it('heartbeats of ten thousand tasks share one timer', () => {
    for (let task = 0; task < 10_000; task += 1) start('ann', String(task), 30_000);
    expect(clock.pending).toBe(1);
  });
});
