/** A task as clients and REST see it. */
import { toSeconds } from '../../protocol/time.js';
import type { TaskCancelled } from '../../protocol/messages.js';
import type { Task } from '../engine/engine.js';
import { Date } from '../pacing/time-source.js';

export function taskView(task: Task): object {
  return {
    task_id: task.taskId,
    user_id: task.userId,
    cancelled: task.cancelled,
    cancelled_at: task.cancelledAt === undefined ? undefined : toSeconds(task.cancelledAt),
    reason: task.reason,
  };
}

export function taskCancelledMessage(task: Task): TaskCancelled {
  return {
    type: 'task_cancelled',
    user_id: task.userId ?? task.namedUserId ?? null,
    task_id: task.taskId,
    reason: task.reason,
    timestamp: toSeconds(task.cancelledAt ?? Date.now()),
  };
}
