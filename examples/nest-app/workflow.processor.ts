/** The work itself: reports its progress, and stops when the user cancels the task. */
import { Injectable } from '@nestjs/common';
import { NotificationService } from '../../src/notification/index.js';

@Injectable()
export class WorkflowProcessor {
  constructor(private readonly notifications: NotificationService) {}

  async draft(userId: string, taskId: string, signal: AbortSignal): Promise<{ text: string }> {
    const words: string[] = [];
    for (const word of ['It', 'works']) {
      if (signal.aborted) break;
      words.push(word);
      await this.notifications.sendToUser(userId, {
        type: 'task_progress',
        task_id: taskId,
        progress: words.length / 2,
        message: word,
      });
    }
    return { text: words.join(' ') };
  }
}
