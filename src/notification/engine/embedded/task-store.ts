/**
 * Tasks, in the worker: their users, and whether they are cancelled.
 * `last_used_at` is coarse (a tenth of the retention), so that a busy task is not written with every prompt.
 */
import { taskChannel } from '../../../protocol/channels.js';
import type { CancelRequest, Task } from '../engine.js';
import { OWN_CODE_VIA } from '../via.js';
import type { UnitOfWork } from './unit-of-work.js';
import type { MessageStore } from './message-store.js';
import type { EventStore } from './event-store.js';
import { toTask, type TaskRow } from './rows.js';
import type { Sqlite, Statement } from './sqlite.js';

const STEP_ROWS = 500;

export class TaskStore {
  private readonly byId: Statement<TaskRow>;
  private readonly save: Statement<never>;
  private readonly touch: Statement<never>;
  private readonly outdated: Statement<{ task_id: string; busy: number }>;
  private readonly remove: Statement<never>;

  constructor(
    database: Sqlite,
    private readonly unit: UnitOfWork,
    private readonly retentionMs: number,
    private readonly events: EventStore,
    private readonly messages: MessageStore,
  ) {
    this.byId = database.prepare(
      'SELECT task_id, user_id, cancelled_at, cancelled_by, reason, last_used_at, cancelled_via FROM task WHERE task_id = ?',
    );
    this.save = database.prepare(
      `INSERT OR REPLACE INTO task (task_id, user_id, cancelled_at, cancelled_by, reason, last_used_at, cancelled_via)
      VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.touch = database.prepare('UPDATE task SET last_used_at = ? WHERE task_id = ?');
    this.outdated = database.prepare(`SELECT task_id, EXISTS (SELECT 1 FROM confirmation INDEXED BY confirmation_task_pending
      WHERE confirmation.state = 'pending' AND confirmation.task_id = task.task_id) AS busy
      FROM task INDEXED BY task_used WHERE last_used_at <= ? ORDER BY last_used_at LIMIT ${STEP_ROWS}`);
    this.remove = database.prepare('DELETE FROM task WHERE task_id = ?');
  }

  get(taskId: string): TaskRow | undefined {
    return this.byId.get(taskId);
  }

  /** Claims the task for the user, unless it has one. */
  use(taskId: string, userId: string): TaskRow {
    const now = this.unit.now();
    const task = this.byId.get(taskId);
    if (!task || task.user_id === null)
      return this.store({ ...(task ?? nobodys(taskId)), user_id: userId, last_used_at: task?.cancelled_at ?? now });
    this.keepInUse(task);
    return task;
  }

  /** For a message to the task, which counts as a use of it: a task that only sends messages is not forgotten. */
  reach(taskId: string): TaskRow | undefined {
    const task = this.byId.get(taskId);
    if (task) this.keepInUse(task);
    return task;
  }

  /** @returns the cancelled task, and whether it was cancelled before; `undefined` if it is not to be found */
  cancel(request: CancelRequest): { task: TaskRow; before: boolean } | undefined {
    const task = this.byId.get(request.taskId) ?? nobodys(request.taskId);
    const allowed =
      task.user_id === null ? request.allowUnknown : request.scope === 'all' || request.scope.includes(task.user_id);
    if (!allowed) return undefined;
    if (task.cancelled_at !== null) return { task, before: true };
    const now = this.unit.now();
    const cancelled = {
      ...task,
      cancelled_at: now,
      cancelled_by: request.cancelledBy,
      reason: request.reason ?? null,
      cancelled_via: request.via ?? OWN_CODE_VIA,
      last_used_at: now,
    };
    const named = task.user_id === null && request.namedUserId !== undefined && { namedUserId: request.namedUserId };
    this.emit({ ...toTask(cancelled), ...named });
    return { task: this.store(cancelled), before: false };
  }

  /** @returns the task, and whether it was cancelled until now; nothing for a task that is not known */
  resume(taskId: string): { task: TaskRow; resumed: boolean } | undefined {
    const task = this.byId.get(taskId);
    if (!task) return undefined;
    if (task.cancelled_at === null) return { task, resumed: false };
    const resumed = this.store({
      ...task,
      cancelled_at: null,
      cancelled_by: null,
      reason: null,
      cancelled_via: null,
      last_used_at: this.unit.now(),
    });
    this.emit(toTask(resumed));
    return { task: resumed, resumed: true };
  }

  /** Forgets tasks unused since `cutoff`; one with pending prompts counts as used. @returns whether there may be more */
  purge(cutoff: number): boolean {
    const outdated = this.outdated.all(cutoff);
    for (const { task_id, busy } of outdated) {
      if (busy) this.touch.run(this.unit.now(), task_id);
      else {
        this.remove.run(task_id);
        // The next owner of the name must not be shown this task's messages.
        this.messages.forget(taskChannel(task_id));
      }
    }
    return outdated.length === STEP_ROWS;
  }

  private keepInUse({ task_id, cancelled_at, last_used_at }: TaskRow): void {
    const now = this.unit.now();
    // A cancellation is remembered from when it was made, however often it is met.
    if (cancelled_at === null && last_used_at < now - this.retentionMs / 10) this.touch.run(now, task_id);
  }

  private emit(task: Task): void {
    this.events.noteTask(task);
    this.unit.emit({ kind: 'task', task });
  }

  private store(task: TaskRow): TaskRow {
    this.save.run(
      task.task_id,
      task.user_id,
      task.cancelled_at,
      task.cancelled_by,
      task.reason,
      task.last_used_at,
      task.cancelled_via,
    );
    return task;
  }
}

function nobodys(taskId: string): TaskRow {
  return {
    task_id: taskId,
    user_id: null,
    cancelled_at: null,
    cancelled_by: null,
    reason: null,
    cancelled_via: null,
    last_used_at: 0,
  };
}
