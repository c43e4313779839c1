/**
 * The confirmation store: what users were asked, and what was decided.
 *
 *  E2  One decision: a confirmation leaves `pending` once, in one atomic step under the engine's own clock. A deadline
 *      that has passed wins over every later answer, withdrawal and cancellation, even if it has not been applied yet:
 *      the later call applies it. An answer that reached a node's socket before the deadline is not later, whenever it is
 *      handled (`deadlines.ts`).
 *
 * E1, E3 and E6 hold as well; see `engine.ts`.
 */
import type {
  Answer,
  Choice,
  ConfirmationState,
  InputSchema,
  Json,
  JsonObject,
  OnTimeout,
  Outcome,
  StepResult,
} from '../../protocol/confirmation.js';
import type { TraceContext } from '../tracing/trace-context.js';
import type { Arrival, DismissRefusal } from './deadlines.js';
import type { Page } from './page.js';
import type { Scope } from './scope.js';

/** What a confirmation shows, and the place in a trace at which it was asked. It never changes after `open`. */
export interface Prompt extends TraceContext {
  stepResult: StepResult;
  title?: string;
  metadata?: JsonObject;
  choices?: Choice[];
  inputSchema?: InputSchema;
  risk?: 'irreversible';
  /** What the user is to approve; never `null`. */
  proposal?: Json;
  /** Whether an answer may carry `edited`, a full replacement of `proposal`. */
  editable?: boolean;
  digest?: string;
}

export interface OpenRequest {
  /** Proposed by the caller; the engine keeps it unless `key` finds an earlier confirmation. */
  callbackId: string;
  userId: string;
  taskId: string;
  step: number;
  prompt: Prompt;
  /** `null`: there is no deadline. */
  timeoutMs: number | null;
  onTimeout: OnTimeout;
  /**
   * Where `onTimeout` comes from. A default that only a setting gave never becomes `proceed` for a deadline that was not
   * applied in time.
   */
  onTimeoutBy: 'caller' | 'setting';
  /** Unique per user. */
  key?: string;
  /** Must be equal for `key` to mean the same confirmation. */
  fingerprint?: string;
}

export interface OpenResult {
  /** `false`: `callbackId` or `key` named a confirmation that exists, decided or not. */
  created: boolean;
  confirmation: Confirmation;
}

export interface Decision {
  outcome: Outcome;
  proceed: boolean;
  feedback?: string;
  choice?: string;
  values?: JsonObject;
  /** What the answer made of the proposal. */
  edited?: Json;
  /** The user who answered or cancelled; absent for anonymous connections and for the clock. */
  answeredBy?: string;
  /** The door by which the decision came: see `via.ts`. */
  via: string;
  /** When the outcome was fixed. */
  decidedAt: number;
  /** Why a task was cancelled or a confirmation withdrawn. */
  reason?: string;
}

interface ConfirmationBase {
  callbackId: string;
  userId: string;
  taskId: string;
  step: number;
  prompt: Prompt;
  createdAt: number;
  /** `null`: there is no deadline. */
  expiresAt: number | null;
  onTimeout: OnTimeout;
  /** When a device first reported that it shows the confirmation. */
  seenAt?: number;
  /** Until when the user's devices hide it; `Infinity` never occurs: the warning before the deadline ends it. */
  dismissedUntil?: number;
}

export interface Pending extends ConfirmationBase {
  state: 'pending';
  decision?: undefined;
}

export interface Decided extends ConfirmationBase {
  state: Outcome;
  decision: Decision;
}

export type Confirmation = Pending | Decided;

export const isDecided = (confirmation: Confirmation): confirmation is Decided => confirmation.state !== 'pending';

export interface DecideRequest {
  callbackId: string;
  scope: Scope;
  /** `null`: an anonymous connection; all of them count as one user. */
  answeredBy: string | null;
  /** The door by which the answer came. The same answer by another door still counts as repeated. @default 'service' */
  via?: string;
  /** The caller has validated it against the prompt. */
  answer: Answer;
  /** When the answer reached the node. @default now */
  arrival?: Arrival;
}

export interface WithdrawRequest {
  callbackId: string;
  /** `callbackId` was given to `open` for this user: the engine may have stored the confirmation under an id of its own. */
  openedFor?: string;
  scope: Scope;
  reason?: string;
  /** The door by which the withdrawal came. @default 'service' */
  via?: string;
  /** When the withdrawal reached the node. @default now */
  arrival?: Arrival;
}

/** `accepted`: this call decided. `repeated`: an equal call of the same user decided before. */
export type DecideResult =
  { status: 'accepted' | 'repeated' | 'already_resolved'; confirmation: Decided } | { status: 'not_found' };

export interface DismissRequest {
  callbackId: string;
  scope: Scope;
  /** Unix milliseconds, at least a minute from now. @default the warning before the deadline, which ends every dismissal */
  until?: number;
}

/** Anything but `dismissed` has changed nothing. */
export type DismissResult =
  { status: 'dismissed' | 'already_resolved'; confirmation: Confirmation } | { status: DismissRefusal | 'not_found' };

export interface ConfirmationQuery {
  scope: Scope;
  taskId?: string;
  state?: ConfirmationState;
  /** Only those that were opened before this moment, in Unix milliseconds by the store's clock. */
  openedBefore?: number;
  /** @default oldest first */
  newestFirst?: boolean;
  /** At most this many; fewer once the page has about `PAGE_BYTES`. */
  limit: number;
  /** From an earlier page; opaque. */
  cursor?: string;
}

export interface ConfirmationStore {
  /**
   * Stores a pending confirmation and emits `onOpened`. Claims an unclaimed task for the user. For a cancelled task the
   * confirmation is stored as `cancelled` at once, and only `onDecided` is emitted.
   * @throws ConfirmationConflictError when `key` exists with another fingerprint
   * @throws TooManyPendingError, StoreFullError
   */
  open(request: OpenRequest): Promise<OpenResult>;
  /** Decides a confirmation by an answer (E2). Emits `onDecided`. */
  decide(request: DecideRequest): Promise<DecideResult>;
  /** Decides a confirmation as `withdrawn` (E2). A second withdrawal is `repeated`. Emits `onDecided`. */
  withdraw(request: WithdrawRequest): Promise<DecideResult>;
  /**
   * Records the first time that a device shows a pending confirmation. A repetition, and a decided confirmation, change
   * nothing.
   * @returns `undefined` for what does not exist or lies outside the scope
   */
  markSeen(callbackId: string, scope: Scope): Promise<Confirmation | undefined>;
  /** Hides a pending confirmation from its user's devices for a while, by the engine's clock. Emits `onDismissed`. */
  dismiss(request: DismissRequest): Promise<DismissResult>;
  /** Reads a confirmation. If its deadline
 has passed and may be applied (`deadlines.ts`), the call applies it first. */
  get(callbackId: string): Promise<Confirmation | undefined>;
  /** @throws InvalidMessageError for a cursor that no earlier page gave */
  list(query: ConfirmationQuery): Promise<Page<Confirmation>>;
}

/** DI token of the same name as the interface. */
export const ConfirmationStore = Symbol('ConfirmationStore');
