/** Starts, leases and stops the heartbeats of tasks for back-end code and REST. A task with a heartbeat belongs to its user. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { printable } from '../access/printable.js';
import { checkIdentifier } from '../confirmation/prepare-request.js';
import { TaskStore } from '../engine/task-store.js';
import { InvalidMessageError } from '../notification.errors.js';
import { HeartbeatLeases } from './heartbeat-leases.js';
import { Heartbeats, type HeartbeatHandle } from './heartbeats.js';
import { QuietLog } from '../pacing/quiet-log.js';

@Injectable()
export class TaskHeartbeats {
  private readonly logger = new Logger('Heartbeats');
  private readonly failures = new QuietLog((message) => this.logger.warn(message));

  constructor(
    @Inject(TaskStore) private readonly tasks: TaskStore,
    private readonly heartbeats: Heartbeats,
    private readonly leases: HeartbeatLeases,
  ) {}

  /** @param interval seconds */
  start(userId: string, taskId: string, interval: number): HeartbeatHandle {
    check(userId, taskId, { interval });
    const handle = this.heartbeats.start(userId, taskId, interval * 1000);
    void this.claim(userId, taskId);
    return handle;
  }

  /** @param interval seconds @param ttl seconds until it ends unless it is renewed */
  async lease(userId: string, taskId: string, interval: number, ttl: number): Promise<void> {
    check(userId, taskId, { interval, ttl });
    const leasing = this.leases.lease(userId, taskId, interval * 1000, ttl * 1000);
    void this.claim(userId, taskId);
    await leasing;
  }

  /** Ends the leases on every node, and all of the task's heartbeats on this one. @throws EngineUnavailableError */
  stop(taskId: string): Promise<void> {
    return this.leases.stop(taskId);
  }

  /** A task that is cancelled has no heartbeat: nothing is sent before that is known. */
  private async claim(userId: string, taskId: string): Promise<void> {
    try {
      const task = await this.tasks.claim(taskId, userId);
      if (task.cancelled) {
        this.heartbeats.stopTask(taskId);
        return;
      }
    } catch (error) {
      this.failures.log('claim', `the heartbeat of task ${printable(taskId)} could not claim it: ${String(error)}`);
    }
    this.heartbeats.release(taskId);
  }
}

function check(userId: string, taskId: string, seconds: Record<string, number>): void {
  checkIdentifier('userId', userId);
  checkIdentifier('taskId', taskId);
  for (const [name, value] of Object.entries(seconds)) {
    if (!Number.isFinite(value) || value <= 0) throw new InvalidMessageError({ [name]: 'must be a positive number of seconds' });
  }
}
