/** Runs a task for a user: heartbeat while it works, and a question before what matters. */
import { Injectable } from '@nestjs/common';
import { NotificationService } from '../../src/notification/index.js';
import { WorkflowProcessor } from './workflow.processor.js';

export interface TaskReport {
  taskId: string;
  status: 'published' | 'rejected' | 'cancelled';
  feedback?: string;
}

@Injectable()
export class TaskService {
  constructor(
    private readonly notifications: NotificationService,
    private readonly workflow: WorkflowProcessor,
  ) {}

  /** `taskId` is also the key's base: after a crash the same call takes the same question up again. */
  async run(userId: string, taskId: string): Promise<TaskReport> {
    const heartbeat = this.notifications.sendHeartbeat(userId, taskId);
    try {
      const draft = await this.workflow.draft(userId, taskId, this.notifications.cancellationSignal(taskId));
      const answer = await this.notifications.notifyUser(
        { step: 'draft', message: 'Publish this draft?', status: 'success', result: draft },
        userId,
        taskId,
        1,
        {
          key: `${taskId}:publish`,
          onTimeout: 'abort',
          timeoutMs: 3_600_000,
        },
      );
      if (answer.outcome === 'cancelled') return { taskId, status: 'cancelled' };
      return { taskId, status: answer.proceed ? 'published' : 'rejected', feedback: answer.feedback };
    } finally {
      heartbeat.stop();
    }
  }
}
