/**
 * The main thread's end of the store: gathers calls into batches, hands back their outcomes in order, keeps a worker alive.
 *
 *  1. One batch is under way at a time; later calls go with the next. Order of calls = order of outcomes (E4). While the main
 *     thread has no idle time, batches gather for some milliseconds: fewer of them cost less, and every caller waits for
 *     that thread anyway.
 *  2. A call's events are emitted, then its promise resolves; both only after the commit (E1).
 *  3. A publication may go ahead of the store (`publication-journal.ts`) when no earlier call could emit or read anything that
 *     it follows. It reaches the store before every later call. Nobody waits for that.
 *  4. A worker that dies takes its calls with it: they reject with `EngineUnavailableError`. Another one is started, with
 *     growing pauses, until one opens the store.
 */
import { EngineUnavailableError } from '../../notification.errors.js';
import { LoopLoad } from '../../pacing/loop-load.js';
import { QuietLog } from '../../pacing/quiet-log.js';
import type { StreamPosition } from '../broker.js';
import type { EngineReading } from '../deadlines.js';
import { pendingCall, resolveInOrder, type OutcomeListener, type PendingCall } from './pending-call.js';
import { PublicationJournal } from './publication-journal.js';
import { newStoreWorker, opening } from './store-thread.js';
import type {
  Call,
  CallOutcome,
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

/** Nothing goes ahead of a store that has not answered for so long. */
const PROMPT_MS = 250;

export interface StoreListener extends Pick<OutcomeListener, 'onEvent'> {
  onNextDue(moment: number | null): void;
  /** A worker took over from one that died. */
  onHealed(opened: Opened): void;
  warn(message: string): void;
  error(message: string): void;
}

interface Running {
  name: 'running';
  worker: StoreThread;
  underWay: PendingCall[] | undefined;
  flush: NodeJS.Immediate | NodeJS.Timeout | undefined;
}

type Phase = { name: 'idle' } | Running | { name: 'healing'; timer: NodeJS.Timeout | undefined } | { name: 'closed' };

export class StoreClient {
  /** The store's operations. */
  readonly store: RemoteStore = new Proxy({} as RemoteStore, {
    get:
      (_, name: OperationName) =>
      (...args: never) =>
        this.call(name, args, (value) => value),
  });
  readonly journal: PublicationJournal;
  private phase: Phase = { name: 'idle' };
  private isClosing = false;
  private queue: PendingCall[] = [];
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
  ) {
    const onFailure = (message: string): void => void this.failures.log(message, message);
    this.journal = new PublicationJournal(options.dataDir, () => this.flush(), onFailure);
  }

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
    return this.enqueue(this.callOf(name, args), emit, IN_TIME.has(name) ? ANSWER_WITHIN_MS : undefined) as Promise<Result>;
  }

  /** Runs `action` after the events of all earlier calls: at once, unless a call is under way. */
  inTurn<Result>(action: () => Result): Promise<Result> {
    return this.enqueue(undefined, action, undefined) as Promise<Result>;
  }

  /** Publishes ahead of the store. @returns `undefined` when the publication must be a call, in its turn */
  publishAhead(channel: string, text: string): StreamPosition | undefined {
    const { phase } = this;
    if (phase.name !== 'running' || this.isClosing || this.mustWait(phase, channel)) return undefined;
    return this.journal.add(channel, text);
  }

  /** @throws EngineUnavailableError once `close` has been called */
  checkOpen(): void {
    if (this.isClosing) throw new EngineUnavailableError('the engine is closed');
  }

  /** Finishes what was called, then ends the worker. */
  async close(): Promise<void> {
    this.isClosing = true;
    await this.drained();
    this.flush();
    await this.drained();
    const phase = this.phase;
    this.phase = { name: 'closed' };
    // Those under way too, if the store has not answered in time.
    this.rejectAll(phase.name === 'running' ? (phase.underWay ?? []) : [], 'the engine is closed');
    if (phase.name === 'healing') clearTimeout(phase.timer);
    const { isStored } = this.journal;
    this.journal.close();
    if (phase.name !== 'running') return;
    const ended = new Promise<void>((resolve) => phase.worker.once('exit', () => resolve()));
    const impatience = setTimeout(() => void phase.worker.terminate(), this.closeWithinMs);
    this.post(phase.worker, { type: 'close', isStored });
    await ended;
    clearTimeout(impatience);
  }

  private callOf<Name extends OperationName>(name: Name, args: Parameters<Operations[Name]>): Call {
    const { readUntil, servingSince } = this.reading;
    return { name, args, read: { until: readUntil, servingSince } };
  }

  private enqueue(call: Call | undefined, emit: (value: never) => unknown, withinMs: number | undefined): Promise<unknown> {
    const phase = this.phase;
    if (phase.name !== 'running') return Promise.reject(new EngineUnavailableError());
    const isFirst = !call && !this.mustWait(phase);
    const { pending, result } = pendingCall(call, emit, withinMs, (givenUp) => {
      this.queue = this.queue.filter((queued) => queued !== givenUp);
    });
    if (isFirst) {
      pending.succeed(undefined);
      return result;
    }
    this.queue.push(pending);
    // After this turn's input has been read, so that what came together goes together.
    if (!phase.underWay) phase.flush ??= this.flushSoon();
    return result;
  }

  /**
   * Whether something must wait for earlier calls. Publications on other channels, and those that have gone ahead, are none of them.
   * @param channel of a publication; absent: something that follows every call
   */
  private mustWait({ underWay = [] }: Running, channel?: string): boolean {
    const isEarlier = ({ call }: PendingCall): boolean =>
      call?.name !== 'append' && !(channel !== undefined && call?.name === 'publish' && call.args[0] !== channel);
    if (this.queue.some(isEarlier) || underWay.some(isEarlier)) return true;
    return channel !== undefined && underWay.length > 0 && performance.now() - this.lastBatchAt > PROMPT_MS;
  }

  private flushSoon(): NodeJS.Immediate | NodeJS.Timeout {
    const waitMs = this.load.isBusy() ? this.lastBatchAt + this.gatherMs - performance.now() : 0;
    return waitMs > 0 ? setTimeout(() => this.flush(), waitMs) : setImmediate(() => this.flush());
  }

  private flush(): void {
    const phase = this.phase;
    if (phase.name !== 'running' || phase.underWay) return;
    phase.flush = undefined;
    phase.underWay = [...this.takeAhead(), ...this.queue.splice(0, MAX_BATCH)];
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

  /** Publications that went ahead, as the first call of a batch. */
  private takeAhead(): PendingCall[] {
    const lines = this.journal.take();
    if (lines === '') return [];
    const call = this.callOf('append', [lines]);
    return [{ call, succeed: (hasRoom) => this.journal.committed(hasRoom as boolean), fail: () => this.journal.failed() }];
  }

  private resolveBatch(phase: Running, outcomes: CallOutcome[]): void {
    // It stays under way until the last outcome, so that nothing that an event causes overtakes the rest.
    resolveInOrder(phase.underWay ?? [], outcomes, {
      onEvent: (event) => this.listener.onEvent(event),
      onFailure: (message) => this.failures.log(message, `a step of the store failed: ${message}`),
    });
    phase.underWay = undefined;
    if (this.phase !== phase) return;
    // The calls that these outcomes cause go with the next batch.
    if (this.queue.length > 0 || this.journal.isUrgent) phase.flush ??= this.flushSoon();
    else this.onDrained?.();
  }

  private open(): Promise<Opened> {
    const worker = this.newWorker(this.options);
    const isRunning = (phase: Phase): phase is Running => phase.name === 'running' && phase.worker === worker;
    return opening(worker, {
      onOpened: (opened) => this.onOpened(worker, opened),
      onOutcomes: ({ outcomes, nextDue }) => {
        if (!isRunning(this.phase)) return;
        this.resolveBatch(this.phase, outcomes);
        this.listener.onNextDue(nextDue);
      },
      onEnd: (cause) => {
        if (isRunning(this.phase)) this.onDeath(this.phase.underWay ?? [], cause);
      },
      warn: (warning) => this.listener.warn(warning),
    });
  }

  private onOpened(worker: StoreThread, { journaled }: Opened): void {
    // Closed while it was opening.
    if (this.phase.name === 'closed') return this.post(worker, { type: 'close', isStored: false });
    this.journal.begin(journaled);
    this.phase = { name: 'running', worker, underWay: undefined, flush: undefined };
  }

  private onDeath(underWay: PendingCall[], cause: string): void {
    this.listener.error(`the store's thread ended (${cause}); starting another`);
    this.phase = { name: 'healing', timer: undefined };
    this.journal.forgetHeads();
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

  private rejectAll(underWay: PendingCall[], message: string): void {
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
