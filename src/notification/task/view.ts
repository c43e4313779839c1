/** What others get to see of a task. */
import { toSeconds } from '../../protocol/time.js';
import type { Task } from '../engine/engine.js';

export function taskView(task: Task): object {
  return {
    task_id: task.taskId,
    user_id: task.userId,
    cancelled: task.cancelled,
    cancelled_at: task.cancelledAt === undefined ? undefined : toSeconds(task.cancelledAt),
    reason: task.reason,
  };
}
