/**
 * What the job does: builds, asks, releases. After a crash it runs again from the top in another process, so each step is
 * either noted in the job, found again by its key, or harmless when it is repeated.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Job } from 'bullmq';
import { NotificationService } from '../../src/notification/index.js';
import type { DeployData, DeployResult } from './queue.js';

const STAGES = ['checking out', 'compiling', 'testing', 'packing'];
const STAGE_MS = Number(process.env['STAGE_MS'] ?? 1000);
const A_DAY_MS = 86_400_000;

@Injectable()
export class DeployTask {
  constructor(private readonly notifications: NotificationService) {}

  async run(job: Job<DeployData, DeployResult>): Promise<DeployResult> {
    const { userId, taskId, version, timeoutMs = A_DAY_MS } = job.data;
    const cancelled = this.notifications.cancellationSignal(taskId);
    const heartbeat = this.notifications.sendHeartbeat(userId, taskId);
    try {
      const artifact = job.data.artifact ?? (await this.build(job, cancelled));
      // The same key finds the same confirmation, or its answer, for as long as decisions are kept (`retentionMs`). It must be
      // asked in the same words each time: no attempt number, no time of day, or it is a ConfirmationConflictError.
      const answer = await this.notifications.notifyUser(
        { step: 'release', message: `Release ${version}?`, status: 'success', result: { artifact } },
        userId,
        taskId,
        2,
        { key: `${taskId}:release`, timeoutMs, onTimeout: 'error' },
      );
      if (answer.outcome === 'cancelled') return { status: 'cancelled' };
      // A no is an answer, not a failure: the job is done.
      if (!answer.proceed) return { status: 'declined', feedback: answer.feedback };
      await this.release(job, artifact);
      return { status: 'released', feedback: answer.feedback };
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') return { status: 'cancelled' };
      throw error;
    } finally {
      heartbeat.stop();
    }
  }

  /** @throws an AbortError as soon as the user cancels the task */
  private async build(job: Job<DeployData>, cancelled: AbortSignal): Promise<string> {
    const { userId, taskId, version, stageMs = STAGE_MS } = job.data;
    for (const [index, message] of STAGES.entries()) {
      const progress = index / STAGES.length;
      await this.notifications.sendToUser(userId, { type: 'task_progress', task_id: taskId, progress, message });
      await delay(stageMs, undefined, { signal: cancelled });
    }
    const artifact = `app-${version}.tar.gz`;
    await job.updateData({ ...job.data, artifact });
    return artifact;
  }

  /**
   * One decision is promised, not one effect: the worker can still die between reading the yes and BullMQ noting that the
   * job is done. Whatever is called here should take the task id as its own idempotency key.
   */
  private async release(job: Job<DeployData>, artifact: string): Promise<void> {
    await job.log(`released ${artifact} for ${job.data.taskId}`);
  }
}
