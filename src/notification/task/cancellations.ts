/**
 * A task's cancellation on this node: an `AbortSignal` for each task that somebody watches, and a stream.
 *
 *  1. A signal is kept as long as the application can see it abort: while it is reachable, has listeners, or is part of a
 *     signal that `AbortSignal.any` has combined.
 *  2. What an event says counts more than a read that was sent before it arrived.
 *  3. Events can be lost. `reread` finds cancellations and resumptions whose events did not arrive.
 */
import { getEventListeners } from 'node:events';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { TaskStore, type Task } from '../engine/task-store.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import { LogLine } from '../tracing/log-line.js';
import { printable } from '../access/printable.js';
import { inParallel } from '../pacing/in-parallel.js';
import { TimerWheel, type WheelTimer } from '../pacing/timer-wheel.js';

/** How often signals that nobody can see any more are forgotten. */
const FORGET_EVERY_MS = 60_000;
/** How many tasks are read at once after a gap. */
const READS_AT_ONCE = 16;

interface Watched {
  /** Aborts the signal that callers have, and every signal that is combined from it. */
  readonly source: AbortController;
  /** Made by `AbortSignal.any`: Node keeps such a signal while it has listeners. */
  given: WeakRef<AbortSignal>;
  /** How many events of the task have arrived. */
  events: number;
}

@Injectable()
export class Cancellations {
  private readonly logger = new Logger('Cancellations');
  private readonly watched = new Map<string, Watched>();
  private readonly subject = new Subject<Task>();
  private forgetting: WheelTimer | undefined;
  private closed = false;

  constructor(
    @Inject(TaskStore) private readonly tasks: Pick<TaskStore, 'get'>,
    private readonly wheel: TimerWheel,
  ) {}

  /** Every cancellation, as it happens. */
  get cancellations$(): Observable<Task> {
    return this.subject.asObservable();
  }

  /** How many tasks are watched. */
  get size(): number {
    return this.watched.size;
  }

  /** Aborts when the task is cancelled; soon after the call if it is cancelled already. */
  signal(taskId: string): AbortSignal {
    const watched = this.watched.get(taskId);
    const known = watched?.given.deref();
    if (known) return known;
    const source = watched?.source ?? new AbortController();
    const signal = AbortSignal.any([source.signal]);
    const given = new WeakRef(signal);
    if (watched) watched.given = given;
    else this.watch(taskId, { source, given, events: 0 });
    return signal;
  }

  onTask(task: Task): void {
    const watched = this.watched.get(task.taskId);
    if (watched) watched.events += 1;
    if (task.cancelled) this.cancel(watched, task);
    // A resumed task gets a fresh signal; an aborted one cannot be taken back.
    else if (watched?.source.signal.aborted) this.watched.delete(task.taskId);
  }

  /** Events may have been lost: reads every task that is watched, as soon as the engine can be read. */
  reread(): Promise<void> {
    return inParallel(this.watched, READS_AT_ONCE, async ([taskId, watched]) => {
      const task = await this.read(taskId, watched);
      if (!task) return;
      if (!task.cancelled && watched.source.signal.aborted) this.watched.delete(taskId);
      if (task.cancelled && !watched.source.signal.aborted) this.cancel(watched, task);
    });
  }

  close(): void {
    this.closed = true;
    this.forgetting?.cancel();
    this.watched.clear();
    this.subject.complete();
  }

  private watch(taskId: string, watched: Watched): void {
    if (this.closed) return;
    this.watched.set(taskId, watched);
    this.forgetting ??= this.wheel.schedule(FORGET_EVERY_MS, () => this.forgetUnseen());
    void this.read(taskId, watched).then((task) => {
      if (task?.cancelled) abort(watched, task);
    });
  }

  private cancel(watched: Watched | undefined, task: Task): void {
    if (watched) abort(watched, task);
    this.subject.next(task);
  }

  /** @returns `undefined` for an unknown task, and where an event that arrived meanwhile is newer than the read */
  private async read(taskId: string, watched: Watched): Promise<Task | undefined> {
    let events = 0;
    const isWatched = (): boolean => this.watched.get(taskId) === watched;
    try {
      const task = await readWhenAvailable(isWatched, () => {
        ({ events } = watched);
        return this.tasks.get(taskId);
      });
      return isWatched() && events === watched.events ? task : undefined;
    } catch (error) {
      this.logger.error(new LogLine(`reading task ${printable(taskId)} failed: ${String(error)}`, { task_id: taskId }));
      return undefined;
    }
  }

  private forgetUnseen(): void {
    for (const [taskId, { source, given }] of this.watched)
      if (!given.deref() && (source.signal.aborted || !isFollowed(source.signal))) this.watched.delete(taskId);
    this.forgetting = this.watched.size > 0 ? this.wheel.schedule(FORGET_EVERY_MS, () => this.forgetUnseen()) : undefined;
  }
}

function abort({ source, given }: Watched, task: Task): void {
  source.abort(new DOMException(task.reason ?? `task ${task.taskId} was cancelled`, 'AbortError'));
  // It emits nothing more, but Node would keep it as long as it has listeners.
  const signal = given.deref();
  if (signal)
    for (const listener of getEventListeners(signal, 'abort')) signal.removeEventListener('abort', listener as () => void);
}

/**
 * Whether a combined signal follows this one. Node keeps the followers in a private set of weak references; if it keeps them
 * elsewhere one day, every signal counts as followed.
 */
function isFollowed(signal: AbortSignal): boolean {
  const own = Object.getOwnPropertySymbols(signal).find(({ description }) => description === 'kDependantSignals');
  const followers: unknown = own && (signal as unknown as Record<symbol, unknown>)[own];
  if (typeof followers !== 'object' || followers === null || !(Symbol.iterator in followers)) return true;
  return [...(followers as Iterable<WeakRef<AbortSignal>>)].some((follower) => follower.deref() !== undefined);
}
