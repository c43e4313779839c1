/**
 * Sends "Task is still executing..." for any number of running tasks on one timer wheel. A heartbeat ends with its handle, its
 * lease, its task's cancellation or the service.
 *
 *  1. A heartbeat is *held* at first: nothing is sent until `release`, as the task may be cancelled.
 *  2. Of several nodes that take a task's lease, the last one keeps it. A node learns the place of its own take only from the
 *     reply, so a take by another node that arrives meanwhile is noted and compared then.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { channelOfUser } from '../../protocol/channels.js';
import { toSeconds } from '../../protocol/time.js';
import type { Heartbeat } from '../../protocol/messages.js';
import { printable } from '../access/printable.js';
import { Broker } from '../engine/broker.js';
import { conflationKey } from '../engine/conflation.js';
import { ServiceClosedError } from '../notification.errors.js';
import { Clock } from '../pacing/clock.js';
import { TimerWheel, type WheelTimer } from '../pacing/timer-wheel.js';
import { QuietLog } from '../pacing/quiet-log.js';

export interface HeartbeatHandle {
  stop(): void;
}

interface Running {
  userId: string;
  taskId: string;
  intervalMs: number;
  timer: WheelTimer;
  isHeld: boolean;
  /** Absent: the heartbeat has a handle. */
  lease?: Lease;
}

interface Lease {
  /** By the timer wheel's clock. */
  until: number;
  /** Takes by this node that have no reply yet. */
  takes: number;
  /** The place of this node's newest take, and of the newest by another node. */
  order: number;
  otherOrder: number;
}

@Injectable()
export class Heartbeats {
  private readonly logger = new Logger('Heartbeats');
  private readonly failures = new QuietLog((message) => this.logger.warn(message));
  private readonly byTask = new Map<string, Set<Running>>();
  /** By user and task: what REST has leased. */
  private readonly leased = new Map<string, Running>();
  private closed = false;

  constructor(
    private readonly wheel: TimerWheel,
    @Inject(Broker) private readonly broker: Pick<Broker, 'publish'>,
    @Inject(Clock) private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** How many heartbeats run. */
  get size(): number {
    return [...this.byTask.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Begins a held heartbeat: sent when it is released, then every `intervalMs`. @throws ServiceClosedError */
  start(userId: string, taskId: string, intervalMs: number): HeartbeatHandle {
    const running = this.begin(userId, taskId, intervalMs);
    return { stop: () => this.end(running) };
  }

  /**
   * Begins a held heartbeat, or renews a running one, that ends by itself after `ttlMs`. The caller then takes the lease.
   * @returns to be called with the place of that take among the takes of all nodes; with 0 if it failed
   * @throws ServiceClosedError
   */
  lease(userId: string, taskId: string, intervalMs: number, ttlMs: number): (order: number) => void {
    const name = leaseName(userId, taskId);
    const until = this.wheel.now() + ttlMs;
    const earlier = this.leased.get(name);
    const lease = earlier?.lease ?? { until, takes: 0, order: 0, otherOrder: 0 };
    lease.until = until;
    lease.takes += 1;
    if (earlier?.intervalMs !== intervalMs) {
      const running = this.begin(userId, taskId, intervalMs, lease);
      if (earlier) this.end(earlier);
      this.leased.set(name, running);
    }
    return (order) => {
      lease.takes -= 1;
      lease.order = Math.max(lease.order, order);
      this.endLost(taskId);
    };
  }

  /** Sends the task's held heartbeats: the task is not cancelled, or it is not known whether it is. */
  release(taskId: string): void {
    for (const running of this.byTask.get(taskId) ?? []) {
      if (!running.isHeld) continue;
      running.isHeld = false;
      this.send(running);
    }
  }

  /** Another node has taken the task's lease. @param order the place of that take among the takes of all nodes */
  onLeaseTaken(taskId: string, order: number): void {
    for (const { lease } of this.byTask.get(taskId) ?? []) if (lease) lease.otherOrder = Math.max(lease.otherOrder, order);
    this.endLost(taskId);
  }

  /** Ends all of a task's heartbeats. */
  stopTask(taskId: string): void {
    for (const running of this.byTask.get(taskId) ?? []) this.end(running);
  }

  /** Ends all of them; none begins any more. */
  close(): void {
    this.closed = true;
    for (const taskId of [...this.byTask.keys()]) this.stopTask(taskId);
  }

  private begin(userId: string, taskId: string, intervalMs: number, lease?: Lease): Running {
    if (this.closed) throw new ServiceClosedError();
    const running: Running = {
      userId,
      taskId,
      intervalMs,
      isHeld: true,
      timer: this.wheel.schedule(intervalMs, () => this.tick(running)),
      ...(lease && { lease }),
    };
    const others = this.byTask.get(taskId);
    if (others) others.add(running);
    else this.byTask.set(taskId, new Set([running]));
    return running;
  }

  private tick(running: Running): void {
    if (running.lease && this.wheel.now() >= running.lease.until) return this.end(running);
    running.timer = this.wheel.schedule(running.intervalMs, () => this.tick(running));
    if (!running.isHeld) this.send(running);
  }

  private endLost(taskId: string): void {
    for (const running of this.byTask.get(taskId) ?? []) {
      const { lease } = running;
      if (lease && lease.takes === 0 && lease.otherOrder > lease.order) this.end(running);
    }
  }

  private send({ userId, taskId }: Running): void {
    const channel = channelOfUser(userId);
    const message = { ...heartbeatMessage(userId, taskId, this.clock.now()) };
    this.broker
      .publish({ channel, message, recoverable: false, conflationKey: conflationKey(channel.name, message) })
      .catch((error: unknown) =>
        this.failures.log('lost', `a heartbeat of task ${printable(taskId)} was lost: ${String(error)}`),
      );
  }

  private end(running: Running): void {
    running.timer.cancel();
    const others = this.byTask.get(running.taskId);
    if (others?.delete(running) && others.size === 0) this.byTask.delete(running.taskId);
    const name = leaseName(running.userId, running.taskId);
    if (this.leased.get(name) === running) this.leased.delete(name);
  }
}

const leaseName = (userId: string, taskId: string): string => JSON.stringify([userId, taskId]);

function heartbeatMessage(userId: string, taskId: string, now: number): Heartbeat {
  return {
    type: 'heartbeat',
    status: 'heartbeat',
    message: 'Task is still executing...',
    user_id: userId,
    task_id: taskId,
    timestamp: toSeconds(now),
  };
}
