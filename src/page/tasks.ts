/** The user's running tasks, as their progress and heartbeats show them. */
import type { NotificationClient } from '../client/index.js';

export interface RunningTask {
  id: string;
  /** From 0 to 1. */
  progress?: number;
  /** It has reported more than 1, so it counts in percent. */
  isPercent?: boolean;
  message: string;
  /** When its last sign came, in Unix milliseconds. */
  signAt: number;
  /** Done or cancelled: it leaves at this time. */
  leavesAt: number;
  isCancelled: boolean;
  /** Asks once more before it is cancelled. */
  isSure?: boolean;
  /** Why it could not be cancelled. */
  problem?: string;
}

const LEAVES_AFTER_MS = 6000;
/** A task without a sign for this long is no longer shown. */
const FORGOTTEN_AFTER_MS = 600_000;
const MOST = 500;

export class Tasks {
  private readonly tasks = new Map<string, RunningTask>();
  private readonly stops: (() => void)[];

  constructor(
    private readonly client: NotificationClient,
    /** Gets whether the list has another length. */
    private readonly onChange: (isLonger: boolean) => void,
  ) {
    const on = (type: string): (() => void) => client.on(type, (message) => this.onSign(type, message));
    this.stops = ['task_progress', 'heartbeat', 'task_cancelled'].map(on);
  }

  get list(): RunningTask[] {
    return [...this.tasks.values()];
  }

  stop(): void {
    for (const stop of this.stops) stop();
  }

  /** Takes away what is over. */
  sweep(): void {
    const now = Date.now();
    for (const [id, task] of this.tasks) if (task.leavesAt < now || task.signAt + FORGOTTEN_AFTER_MS < now) this.tasks.delete(id);
  }

  /** Asks once more at first. */
  async cancel(task: RunningTask): Promise<void> {
    task.isSure = !task.isSure;
    this.onChange(false);
    if (task.isSure) return;
    try {
      await this.client.cancel(task.id);
    } catch (error) {
      task.problem = (error as Error).message;
      this.onChange(false);
    }
  }

  back(task: RunningTask): void {
    task.isSure = false;
    this.onChange(false);
  }

  private onSign(type: string, { task_id: id, progress, message }: Record<string, unknown>): void {
    if (typeof id !== 'string') return;
    const now = Date.now();
    const known = this.tasks.get(id);
    const task = known ?? { id, message: '', signAt: now, leavesAt: Infinity, isCancelled: false };
    task.signAt = now;
    if (type === 'task_cancelled') {
      if (!known) return;
      Object.assign(task, { isCancelled: true, leavesAt: now + LEAVES_AFTER_MS });
    }
    if (type === 'task_progress') {
      if (typeof progress === 'number') {
        task.isPercent ||= progress > 1;
        task.progress = task.isPercent ? progress / 100 : progress;
      }
      if (typeof message === 'string') task.message = message;
      if (!task.isCancelled) task.leavesAt = (task.progress ?? 0) >= 1 ? now + LEAVES_AFTER_MS : Infinity;
    }
    this.tasks.set(id, task);
    const [oldest = ''] = this.tasks.keys();
    if (this.tasks.size > MOST) this.tasks.delete(oldest);
    this.onChange(!known);
  }
}
