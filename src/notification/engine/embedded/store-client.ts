/**
 * The main thread's end of the store: gathers calls into batches, hands back their outcomes in order, keeps a worker alive.
 *
 *  1. One batch is under way at a time; later calls go with the next. Order of calls = order of outcomes (E4). While the main
 *     thread has no idle time, batches gather for some milliseconds: fewer of them cost less, and every caller waits for
 *     that thread anyway.
 *  2. A call's events are emitted, then its promise resolves; both only after the commit (E1).
 *  3. A worker that dies takes its calls with it: they reject with `EngineUnavailableError`. Another one is started, with
 *     growing pauses, until one opens the store.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { EngineUnavailableError } from '../../notification.errors.js';
import { LoopLoad } from '../../pacing/loop-load.js';
import { QuietLog } from '../../pacing/quiet-log.js';
import type { EngineReading } from '../deadlines.js';
import { errorOf } from './store-errors.js';
import type { StoreEvent } from './unit-of-work.js';
import type {
  Call,
  CallOutcome,
  FromWorker,
  Opened,
  OperationName,
  OperationResult,
  RemoteStore,
  Operations,
  StoreOptions,
  StoreThread,
  ToWorker,
} from './store-protocol.js';
import { clearTimeout, performance, setImmediate, setTimeout } from '../../pacing/time-source.js';

const MAX_BATCH = 512;
/** The pause between two batches while the main thread has no idle time. */
const GATHER_MS = 5;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;
const CLOSE_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 2000;
/** Operations whose caller is not kept waiting for longer than `ANSWER_WITHIN_MS`. */
const IN_TIME: ReadonlySet<OperationName> = new Set(['ping', 'open', 'reachTask', 'publish', 'keep', 'isAcknowledged']);

interface Entry {
  /** Absent: nothing for the store, only a turn in the order of outcomes. */
  call?: Call;
  succeed(value: unknown): void;
  fail(error: Error): void;
}

export interface StoreListener {
  onEvent(event: StoreEvent): void;
  onNextDue(moment: number | null): void;
  /** A worker took over from one that died. */
  onHealed(opened: Opened): void;
  warn(message: string): void;
  error(message: string): void;
}

type Phase =
  | { name: 'idle' }
  | { name: 'running'; worker: StoreThread; underWay: Entry[] | undefined; flush: NodeJS.Immediate | NodeJS.Timeout | undefined }
  | { name: 'healing'; timer: NodeJS.Timeout | undefined }
  | { name: 'closed' };

export class StoreClient {
  /** The store's operations. */
  readonly store: RemoteStore = new Proxy({} as RemoteStore, {
    get:
      (_, name: OperationName) =>
      (...args: never) =>
        this.call(name, args, (value) => value),
  });
  private phase: Phase = { name: 'idle' };
  private isClosing = false;
  private queue: Entry[] = [];
  /** A failing disk fails often. */
  private readonly failures = new QuietLog((message) => this.listener.error(message));
  private onDrained: (() => void) | undefined;
  private lastBatchAt = 0;
  private readonly load = new LoopLoad();

  constructor(
    private readonly options: StoreOptions,
    private readonly reading: EngineReading,
    private readonly listener: StoreListener,
    private readonly newWorker = newStoreWorker,
    private readonly gatherMs = GATHER_MS,
    private readonly closeWithinMs = CLOSE_WITHIN_MS,
  ) {}

  /** @throws ConfigurationError when the store cannot be used */
  async start(): Promise<Opened> {
    if (this.phase.name !== 'idle') throw new EngineUnavailableError('the engine was started before');
    return this.open();
  }

  /**
   * Calls an operation of the store. One that must be answered in time rejects when it is not; if it has not left by then,
   * it never does.
   * @param emit runs in the call's turn, before the next call's events; what it returns is the result
   */
  call<Name extends OperationName, Result>(
    name: Name,
    args: Parameters<Operations[Name]>,
    emit: (value: OperationResult<Name>) => Result,
  ): Promise<Result> {
    const { readUntil, servingSince } = this.reading;
    const call: Call = { name, args, read: { until: readUntil, servingSince } };
    return this.enqueue(call, emit, IN_TIME.has(name) ? ANSWER_WITHIN_MS : undefined) as Promise<Result>;
  }

  /** Runs `action` after the events of all earlier calls: at once, unless a call is under way. */
  inTurn<Result>(action: () => Result): Promise<Result> {
    return this.enqueue(undefined, action, undefined) as Promise<Result>;
  }

  /** @throws EngineUnavailableError once `close` has been called */
  checkOpen(): void {
    if (this.isClosing) throw new EngineUnavailableError('the engine is closed');
  }

  /** Finishes what was called, then ends the worker. */
  async close(): Promise<void> {
    this.isClosing = true;
    if (this.phase.name === 'running') await this.drained();
    const phase = this.phase;
    this.phase = { name: 'closed' };
    // Those under way too, if the store has not answered in time.
    this.rejectAll(phase.name === 'running' ? (phase.underWay ?? []) : [], 'the engine is closed');
    if (phase.name === 'healing') clearTimeout(phase.timer);
    if (phase.name !== 'running') return;
    const ended = new Promise<void>((resolve) => phase.worker.once('exit', () => resolve()));
    const impatience = setTimeout(() => void phase.worker.terminate(), this.closeWithinMs);
    this.post(phase.worker, { type: 'close' });
    await ended;
    clearTimeout(impatience);
  }

  private enqueue(call: Call | undefined, emit: (value: never) => unknown, withinMs: number | undefined): Promise<unknown> {
    const phase = this.phase;
    if (phase.name !== 'running') return Promise.reject(new EngineUnavailableError());
    return new Promise((resolve, reject) => {
      const timer = withinMs === undefined ? undefined : setTimeout(() => giveUp(), withinMs);
      const entry: Entry = {
        call,
        succeed: (value) => {
          clearTimeout(timer);
          try {
            resolve(emit(value as never));
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const giveUp = (): void => {
        this.queue = this.queue.filter((queued) => queued !== entry);
        reject(new EngineUnavailableError('the store does not answer'));
      };
      if (!call && this.queue.length === 0 && !phase.underWay) return entry.succeed(undefined);
      this.queue.push(entry);
      // After this turn's input has been read, so that what came together goes together.
      if (!phase.underWay) phase.flush ??= this.flushSoon();
    });
  }

  private flushSoon(): NodeJS.Immediate | NodeJS.Timeout {
    const waitMs = this.load.isBusy() ? this.lastBatchAt + this.gatherMs - performance.now() : 0;
    return waitMs > 0 ? setTimeout(() => this.flush(), waitMs) : setImmediate(() => this.flush());
  }

  private flush(): void {
    const phase = this.phase;
    if (phase.name !== 'running') return;
    phase.flush = undefined;
    if (this.queue.length === 0) return this.onDrained?.();
    phase.underWay = this.queue.splice(0, MAX_BATCH);
    const calls = phase.underWay.flatMap(({ call }) => call ?? []);
    if (calls.length === 0) return this.resolveBatch(phase, []);
    this.lastBatchAt = performance.now();

    try {
      this.post(phase.worker, { type: 'batch', calls });
    } catch (error) {
      // Something in a call cannot be copied to the worker; it was checked before, so this is a fault of ours.
      this.resolveBatch(
        phase,
        calls.map(() => ({ failure: { kind: 'unavailable', message: (error as Error).message } })),
      );
    }
  }

  private resolveBatch(phase: Phase & { name: 'running' }, outcomes: CallOutcome[]): void {
    const entries = phase.underWay ?? [];
    phase.underWay = undefined;
    let next = 0;
    for (const entry of entries) {
      const outcome = entry.call ? outcomes[next++] : { value: undefined, events: [] };
      if (!outcome) throw new Error('the store answered fewer calls than it got');
      if ('failure' in outcome) {
        const { failure } = outcome;
        if (failure.kind === 'unavailable') this.failures.log(failure.message, `a step of the store failed: ${failure.message}`);
        entry.fail(errorOf(failure));
        continue;
      }
      for (const event of outcome.events) this.listener.onEvent(event);
      entry.succeed(outcome.value);
    }
    if (this.phase !== phase) return;
    if (this.queue.length === 0) this.onDrained?.();
    // The calls that these outcomes cause go with the next batch.
    else phase.flush ??= this.flushSoon();
  }

  private open(): Promise<Opened> {
    const worker = this.newWorker(this.options);
    return new Promise((resolve, reject) => {
      let cause = 'it ended by itself';
      let refusal: Error | undefined;
      worker.on('error', (error: Error) => (cause = error.message));
      worker.on('exit', () => {
        // Not before the thread is gone, and with it whatever it held of the file.
        reject(refusal ?? new EngineUnavailableError(`the store ended: ${cause}`));
        if (this.phase.name === 'running' && this.phase.worker === worker) this.onDeath(this.phase.underWay ?? [], cause);
      });
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'refused') {
          refusal = errorOf(message.failure);
          return;
        }
        if (message.type === 'opened') {
          // Closed while it was opening.
          if (this.phase.name === 'closed') return this.post(worker, { type: 'close' });
          this.phase = { name: 'running', worker, underWay: undefined, flush: undefined };
          for (const warning of message.warnings) this.listener.warn(warning);
          return resolve(message);
        }
        for (const warning of message.warnings) this.listener.warn(warning);
        if (this.phase.name !== 'running' || this.phase.worker !== worker) return;
        this.resolveBatch(this.phase, message.outcomes);
        this.listener.onNextDue(message.nextDue);
      });
    });
  }

  private onDeath(underWay: Entry[], cause: string): void {
    this.listener.error(`the store's thread ended (${cause}); starting another`);
    this.phase = { name: 'healing', timer: undefined };
    this.rejectAll(underWay, 'the store failed during the call');
    this.onDrained?.();
    this.heal(FIRST_PAUSE_MS);
  }

  private heal(pauseMs: number): void {
    if (this.phase.name !== 'healing') return;
    this.phase.timer = setTimeout(() => {
      this.open().then(
        (opened) => this.listener.onHealed(opened),
        (error: unknown) => {
          this.listener.error(`the store cannot be opened: ${String(error)}`);
          this.heal(Math.min(pauseMs * 2, LONGEST_PAUSE_MS));
        },
      );
    }, pauseMs);
  }

  private rejectAll(underWay: Entry[], message: string): void {
    const entries = [...underWay, ...this.queue];
    this.queue = [];
    for (const entry of entries) entry.fail(new EngineUnavailableError(message));
  }

  private async drained(): Promise<void> {
    const { phase } = this;
    if (phase.name !== 'running' || (this.queue.length === 0 && !phase.underWay)) return;
    await new Promise<void>((resolve) => {
      const impatience = setTimeout(resolve, this.closeWithinMs);
      this.onDrained = () => {
        clearTimeout(impatience);
        resolve();
      };
    });
  }

  private post(worker: StoreThread, message: ToWorker): void {
    worker.postMessage(message);
  }
}

export function newStoreWorker(options: StoreOptions): StoreThread {
  const file = fileURLToPath(new URL('./store.worker.js', import.meta.url));
  return new Worker(file, { workerData: options, execArgv: [] });
}
