/**
 * "Task is still executing...", again and again, for any number of running tasks on one timer wheel. A heartbeat ends
 * with its handle, its lease, its task's cancellation or the service.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { userChannel } from '../../protocol/channels.js';
import { toSeconds } from '../../protocol/time.js';
import type { Heartbeat } from '../../protocol/messages.js';
import { printable } from '../access/printable.js';
import { Broker } from '../engine/broker.js';
import { conflationKey } from '../engine/conflation.js';
import { ServiceClosedError } from '../notification.errors.js';
import { Clock } from '../pacing/clock.js';
import { TimerWheel, type WheelTimer } from '../pacing/timer-wheel.js';

export interface HeartbeatHandle {
  stop(): void;
}

interface Beating {
  userId: string;
  taskId: string;
  intervalMs: number;
  timer: WheelTimer;
  /** Unix milliseconds; `undefined`: no lease. */
  until?: number;
}

@Injectable()
export class Heartbeats {
  private readonly logger = new Logger('Heartbeats');
  private readonly byTask = new Map<string, Set<Beating>>();
  /** By user and task: what REST has leased. */
  private readonly leases = new Map<string, Beating>();
  private closed = false;

  constructor(
    private readonly wheel: TimerWheel,
    @Inject(Broker) private readonly broker: Pick<Broker, 'publish'>,
    @Inject(Clock) private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** How many beat. */
  get size(): number {
    return [...this.byTask.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Beats at once, then every `intervalMs`. */
  start(userId: string, taskId: string, intervalMs: number): HeartbeatHandle {
    const beating = this.begin(userId, taskId, intervalMs);
    return { stop: () => this.end(beating) };
  }

  /** Starts or renews a heartbeat that ends by itself after `ttlMs`. */
  lease(userId: string, taskId: string, intervalMs: number, ttlMs: number): void {
    const name = leaseName(userId, taskId);
    const earlier = this.leases.get(name);
    const until = this.wheel.now() + ttlMs;
    if (earlier && earlier.intervalMs === intervalMs) {
      earlier.until = until;
      return;
    }
    if (earlier) this.end(earlier);
    this.leases.set(name, this.begin(userId, taskId, intervalMs, until));
  }

  /** Ends a task's leases. */
  stopLeases(taskId: string): void {
    for (const beating of this.byTask.get(taskId) ?? []) if (beating.until !== undefined) this.end(beating);
  }

  /** Ends all of a task's heartbeats. */
  stopTask(taskId: string): void {
    for (const beating of this.byTask.get(taskId) ?? []) this.end(beating);
  }

  /** Ends all of them; none begins any more. */
  close(): void {
    this.closed = true;
    for (const taskId of [...this.byTask.keys()]) this.stopTask(taskId);
  }

  private begin(userId: string, taskId: string, intervalMs: number, until?: number): Beating {
    if (this.closed) throw new ServiceClosedError();
    const beating: Beating = {
      userId,
      taskId,
      intervalMs,
      until,
      timer: this.wheel.schedule(intervalMs, () => this.tick(beating)),
    };
    const running = this.byTask.get(taskId);
    if (running) running.add(beating);
    else this.byTask.set(taskId, new Set([beating]));
    this.send(userId, taskId);
    return beating;
  }

  private tick(beating: Beating): void {
    if (beating.until !== undefined && this.wheel.now() >= beating.until) return this.end(beating);
    beating.timer = this.wheel.schedule(beating.intervalMs, () => this.tick(beating));
    this.send(beating.userId, beating.taskId);
  }

  private send(userId: string, taskId: string): void {
    const channel = userChannel(userId);
    const message = { ...heartbeatMessage(userId, taskId, this.clock.now()) };
    this.broker
      .publish({ channel, message, recoverable: false, conflationKey: conflationKey(channel, message) })
      .catch((error: unknown) => this.logger.warn(`a heartbeat of task ${printable(taskId)} was lost: ${String(error)}`));
  }

  private end(beating: Beating): void {
    beating.timer.cancel();
    const running = this.byTask.get(beating.taskId);
    if (running?.delete(beating) && running.size === 0) this.byTask.delete(beating.taskId);
    const name = leaseName(beating.userId, beating.taskId);
    if (this.leases.get(name) === beating) this.leases.delete(name);
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
