/**
 * Opens confirmations, waits for their decisions, and decides them, on this node. The engine decides in one atomic step; this
 * class checks answers before it, and turns the engine's results into results and errors of the caller.
 *
 *  1. A waiter is registered before the confirmation is stored, so that it misses no decision.
 *  2. When a fail-over of the engine has lost a confirmation, its waiters reject with `ConfirmationLostError`.
 *  3. No fault becomes "proceed": a fault is an error, and the confirmation stays as it is.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { LONGEST_TIMEOUT_MS } from '../pacing/clock.js';
import { inParallel } from '../pacing/in-parallel.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import type { Arrival } from '../engine/deadlines.js';
import {
  ConfirmationStore,
  isDecided,
  type Decided,
  type Confirmation,
  type ConfirmationQuery,
  type Page,
  type Scope,
} from '../engine/engine.js';
import {
  ConfirmationLostError,
  ConfirmationTimeoutError,
  EngineUnavailableError,
  NotFoundError,
  ServiceClosedError,
} from '../notification.errors.js';
import { readAnswer, type GivenAnswer } from './answer.js';
import { AnswerChecks } from './answer-checks.js';
import { readPage } from './confirmation-page.js';
import { decisionResult, type DecisionResult } from './decision-result.js';
import { prepare, type AskRequest } from './prepare-request.js';
import { confirmationResult, type ConfirmationResult } from './presentation.js';
import { ResolvedOptions } from '../notification.options.js';
import { CallbackRegistry, type Waiter } from './callback-registry.js';
import { LogLine } from '../tracing/log-line.js';
import { UnknownOpenings } from './unknown-openings.js';
import { clearTimeout, delay, monotonicMs, setTimeout } from '../pacing/time-source.js';

/** Who answers, and whose prompts they may touch. */
export interface Answerer {
  /** `null`: anonymous. */
  userId: string | null;
  scope: Scope;
  /** The door by which the answer came, 1 to 64 of `A-Z a-z 0-9 . _ : -`. @default the caller's own: `service` for back-end code */
  via?: string;
  /** When the answer reached this node; absent: now. */
  arrival?: Arrival;
}

/** What an asking call itself brings about. */
export interface AskListener {
  /** The call has a prompt: a new one, or one that its key led to. */
  onOpened?: (confirmation: Confirmation, created: boolean) => void;
  /** The call's signal has withdrawn the prompt. */
  onWithdrawn?: (confirmation: Decided) => void;
}

/** For how long an answer is tried while the engine is away, and how often. */
const ANSWER_RETRY_MS = 1000;
const ANSWER_AGAIN_MS = 50;
/** How many prompts are read at once after a gap. */
const READS_AT_ONCE = 16;
/** Between attempts to withdraw while the engine is away. */
const WITHDRAW_RETRY_MS = 500;

@Injectable()
export class Confirmations {
  /** The waiters of `wait`. They return the current state when the service stops. */
  private readonly polls = new Set<Waiter>();
  private readonly logger = new Logger('Confirmations');
  private readonly unknown: UnknownOpenings;
  readonly checks = new AnswerChecks((callbackId, scope) => this.get(callbackId, scope));
  private closed = false;

  constructor(
    @Inject(ConfirmationStore) private readonly store: ConfirmationStore,
    private readonly callbacks: CallbackRegistry,
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
  ) {
    this.unknown = new UnknownOpenings(store, this.logger);
  }

  /** Asks, and waits for the decision. See `NotificationService.notifyUser`. */
  async ask(request: AskRequest, { onOpened, onWithdrawn }: AskListener = {}): Promise<ConfirmationResult> {
    request.signal?.throwIfAborted();
    this.mustBeOpen();
    const { created, confirmation, waiter } = await this.begin(request);
    onOpened?.(confirmation, created);
    const { signal } = request;
    const withdrawOnAbort =
      signal && ((): void => void this.withdrawUntilDecided(confirmation.callbackId, signal, waiter, onWithdrawn));
    if (withdrawOnAbort) signal.addEventListener('abort', withdrawOnAbort, { once: true });
    if (signal?.aborted) withdrawOnAbort?.();
    try {
      const decided = isDecided(confirmation) ? confirmation : await waiter.decided;
      // Only `leave` resolves without a decision, and nobody but us holds this waiter.
      if (!decided) throw new ServiceClosedError();
      if (decided.decision.outcome === 'timed_out' && decided.onTimeout === 'error')
        throw new ConfirmationTimeoutError(decided.callbackId);
      return confirmationResult(decided);
    } finally {
      if (withdrawOnAbort) signal.removeEventListener('abort', withdrawOnAbort);
      waiter.leave();
    }
  }

  /** Asks without waiting. `created: false`: the key has led to an earlier prompt. */
  async open(request: AskRequest): Promise<{ created: boolean; confirmation: Confirmation }> {
    const { created, confirmation, waiter } = await this.begin(request);
    waiter.leave();
    return { created, confirmation };
  }

  /**
   * Waits until the prompt is decided, `waitMs` have passed, `signal` aborts or the service stops; then tells its state.
   * @throws NotFoundError
   */
  async wait(callbackId: string, scope: Scope, waitMs: number, signal?: AbortSignal): Promise<Confirmation> {
    const waiter = this.callbacks.wait(callbackId);
    this.polls.add(waiter);
    const timer = setTimeout(() => waiter.leave(), Math.min(waitMs, LONGEST_TIMEOUT_MS));
    const leave = (): void => waiter.leave();
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted) leave();
    try {
      const confirmation = await this.get(callbackId, scope);
      waiter.found(callbackId);
      if (isDecided(confirmation) || !(waitMs > 0) || this.closed) return confirmation;
      return (await waiter.decided) ?? (await this.get(callbackId, scope));
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
      this.polls.delete(waiter);
      waiter.leave();
    }
  }

  /**
   * The one decision (E2). Resolves when this answer decided, or repeats the one that did.
   * @throws InvalidMessageError, NotFoundError, InvalidAnswerError, AlreadyResolvedError, EngineUnavailableError
   */
  async decide(callbackId: string, by: Answerer, answered: GivenAnswer): Promise<DecisionResult> {
    const given = readAnswer(answered, this.options.maxPayload);
    const giveUpAt = monotonicMs() + ANSWER_RETRY_MS;
    try {
      for (;;) {
        try {
          return await this.decideOnce(callbackId, by, given);
        } catch (error) {
          // An engine that is away for a moment must not cost an answer that came in time; this node's deadlines wait for it.
          if (!(error instanceof EngineUnavailableError) || this.closed || !by.arrival || monotonicMs() > giveUpAt) throw error;
          await delay(ANSWER_AGAIN_MS);
        }
      }
    } finally {
      by.arrival?.handedOver();
    }
  }

  private async decideOnce(callbackId: string, by: Answerer, given: ReturnType<typeof readAnswer>): Promise<DecisionResult> {
    const answer = this.checks.known(callbackId, given) ?? (await this.checks.stored(callbackId, by.scope, given));
    const { scope, userId: answeredBy, via, arrival } = by;
    const result = await this.store.decide({ callbackId, scope, answeredBy, via, answer, arrival });
    return decisionResult(result, callbackId);
  }

  /** @throws NotFoundError, AlreadyResolvedError, EngineUnavailableError */
  async withdraw(callbackId: string, scope: Scope, via?: string, arrival?: Arrival): Promise<DecisionResult> {
    return decisionResult(await this.store.withdraw({ callbackId, scope, via, arrival }), callbackId);
  }

  /** @throws NotFoundError for what does not exist or lies outside the scope */
  async get(callbackId: string, scope: Scope): Promise<Confirmation> {
    const confirmation = await this.store.get(callbackId);
    if (!confirmation || (scope !== 'all' && !scope.includes(confirmation.userId)))
      throw new NotFoundError('confirmation', callbackId);
    return confirmation;
  }

  list(query: ConfirmationQuery): Promise<Page<Confirmation>> {
    return readPage(this.store, query);
  }

  /** Resolves the waiters of this node with a decision. */
  settle(confirmation: Decided): void {
    this.checks.decided(confirmation.callbackId);
    this.callbacks.settle(confirmation);
  }

  /** Events may have been lost: reads what is waited for, as soon as the engine can be read. */
  reread(): Promise<void> {
    return inParallel(this.callbacks.callbackIds, READS_AT_ONCE, (callbackId) => this.lookAgain(callbackId));
  }

  /**
   * Every call that waits for a decision rejects with `ServiceClosedError`; the prompts stay pending. Long polls return the
   * current state. Calls that do not wait work until the engine closes.
   */
  close(): void {
    this.closed = true;
    this.unknown.close();
    for (const poll of this.polls) poll.leave();
    this.callbacks.rejectAll(new ServiceClosedError());
  }

  private async look(callbackId: string): Promise<void> {
    const lose = this.callbacks.loser(callbackId);
    const confirmation = await this.store.get(callbackId);
    if (!confirmation) lose(new ConfirmationLostError(callbackId));
    else if (isDecided(confirmation)) this.settle(confirmation);
  }

  private async begin(request: AskRequest): Promise<{ created: boolean; confirmation: Confirmation; waiter: Waiter }> {
    const opening = prepare(request, this.options);
    const waiter = this.callbacks.wait(opening.callbackId);
    try {
      const { created, confirmation } = await this.store.open(opening);
      const asProposed = confirmation.callbackId === opening.callbackId;
      waiter.found(confirmation.callbackId);
      if ((created && asProposed) || isDecided(confirmation)) return { created, confirmation, waiter };
      // A key has led to an earlier prompt, or the engine has given it an id of its own.
      void this.lookAgain(confirmation.callbackId);
      return { created, confirmation, waiter };
    } catch (error) {
      waiter.leave();
      if (error instanceof EngineUnavailableError) {
        // The service stopped during the call, and the engine with it.
        this.mustBeOpen();
        if (opening.key === undefined) this.unknown.add(opening);
      }
      throw error;
    }
  }

  /**
   * Reads a prompt that a caller waits for: its decision may have been emitted before the caller waited, or may have been
   * lost. A read that fails is repeated until nobody waits.
   */
  private async lookAgain(callbackId: string): Promise<void> {
    const isWaitedFor = (): boolean => !this.closed && this.callbacks.has(callbackId);
    try {
      await readWhenAvailable(isWaitedFor, () => this.look(callbackId));
    } catch (error) {
      this.logger.error(new LogLine(`reading ${callbackId} failed: ${String(error)}`, { callback_id: callbackId }));
    }
  }

  private mustBeOpen(): void {
    if (this.closed) throw new ServiceClosedError();
  }

  /** An abort must not get lost because the engine is away for a moment; it ends with the decision or the service. */
  private async withdrawUntilDecided(
    callbackId: string,
    signal: AbortSignal,
    waiter: Waiter,
    onWithdrawn: AskListener['onWithdrawn'],
  ): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    waiter.decided.then(stop, stop);
    const reason = signal.reason instanceof Error ? storable(signal.reason.message) : undefined;
    // The reply of an attempt that failed may be all that got lost.
    let unsure = false;
    while (!over.signal.aborted && !this.closed) {
      try {
        const result = await this.store.withdraw({ callbackId, scope: 'all', reason });
        const isOurs = result.status === 'accepted' || (result.status === 'repeated' && unsure);
        if (isOurs) onWithdrawn?.(result.confirmation);
        return;
      } catch (error) {
        if (!(error instanceof EngineUnavailableError)) {
          this.logger.error(new LogLine(`withdrawing ${callbackId} failed: ${String(error)}`, { callback_id: callbackId }));
          return;
        }
        unsure = true;
        await delay(WITHDRAW_RETRY_MS, undefined, { ref: false });
      }
    }
  }
}

/** The text of an error, without what a store would cut or replace. */
const storable = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, '\ufffd');
