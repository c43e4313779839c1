/**
 * What a task's cancellation means on this node: an `AbortSignal` for each task that somebody watches, and a stream.
 * The engine remembers; this passes on.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { TaskStore, type Task } from '../engine/task-store.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import { ResolvedOptions } from '../notification.options.js';
import { printable } from '../access/printable.js';
import { Date, clearInterval, setInterval } from '../pacing/time-source.js';

interface Watched {
  controller: AbortController;
  askedAt: number;
}

@Injectable()
export class Cancellations {
  private readonly logger = new Logger('Cancellations');
  private readonly watched = new Map<string, Watched>();
  private readonly subject = new Subject<Task>();
  private readonly sweep: NodeJS.Timeout;
  private closed = false;

  constructor(
    @Inject(TaskStore) private readonly tasks: Pick<TaskStore, 'get'>,
    @Inject(ResolvedOptions) private readonly options: Pick<ResolvedOptions, 'retentionMs'>,
  ) {
    this.sweep = setInterval(() => this.forgetOld(), Math.min(options.retentionMs, 3_600_000)).unref();
  }

  /** Every cancellation, as it happens. */
  get cancellations$(): Observable<Task> {
    return this.subject.asObservable();
  }

  /** Aborts when the task is cancelled; already aborted soon after when it was. Kept for `retention` after it was last asked for. */
  signal(taskId: string): AbortSignal {
    const known = this.watched.get(taskId);
    if (known) {
      known.askedAt = Date.now();
      return known.controller.signal;
    }
    const controller = new AbortController();
    this.watched.set(taskId, { controller, askedAt: Date.now() });
    void this.catchUp(taskId, controller);
    return controller.signal;
  }

  onTask(task: Task): void {
    if (!task.cancelled) {
      // A resumed task gets a fresh signal; an aborted one cannot be taken back.
      if (this.watched.get(task.taskId)?.controller.signal.aborted) this.watched.delete(task.taskId);
      return;
    }
    this.watched.get(task.taskId)?.controller.abort(cancelReason(task));
    this.subject.next(task);
  }

  /** Events may have been lost: reads every task that is watched. */
  async reread(): Promise<void> {
    for (const [taskId, { controller }] of this.watched) await this.catchUp(taskId, controller);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.sweep);
    this.watched.clear();
    this.subject.complete();
  }

  private async catchUp(taskId: string, controller: AbortController): Promise<void> {
    try {
      const task = await readWhenAvailable(
        () => !this.closed && !controller.signal.aborted,
        () => this.tasks.get(taskId),
      );
      if (task?.cancelled) controller.abort(cancelReason(task));
    } catch (error) {
      this.logger.error(`reading task ${printable(taskId)} failed: ${String(error)}`);
    }
  }

  private forgetOld(): void {
    const before = Date.now() - this.options.retentionMs;
    for (const [taskId, { askedAt }] of this.watched) if (askedAt < before) this.watched.delete(taskId);
  }
}

function cancelReason(task: Task): Error {
  return new DOMException(task.reason ?? `task ${task.taskId} was cancelled`, 'AbortError');
}
