/**
 * The engine: where prompts, decisions, tasks, messages and positions live, and how nodes hear of them.
 *
 * An engine knows no socket, no connection and no Nest. It is called through `Engine` and speaks upward only
 * through `EngineHandler`. One suite of tests (test/contract) runs against every engine.
 *
 * Guarantees, to which the code of every engine refers by number:
 *  E1  Stored before told: a call that changes something resolves, and its event is emitted, only after the change
 *      would survive `kill -9` of this process.
 *  E2  One decision: a prompt leaves `pending` once, in one atomic step under the engine's own clock. A deadline that
 *      has passed wins over whatever comes later, even if its expiry has not run yet: the later call applies it. What
 *      reached a node's socket before the deadline is not later, whenever it is handled (`deadlines.ts`).
 *  E3  Everything repeats safely: the same `open` (by callback id or key), `decide`, `withdraw`, `cancelTask`, `ack`
 *      or `sendAcknowledged` (by message id) again changes nothing and gets the same answer.
 *  E4  Order: events of one prompt and of one channel reach the handler in the order in which they were stored.
 *  E5  At least once: a decision whose event this node may not have seen is emitted again after the next start.
 *      `onGap` says that events may have been lost; the handler then re-reads what it waits for.
 *  E6  Failing safe: a call that cannot be carried out rejects with `EngineUnavailableError` (or `StoreFullError` when
 *      only new things are refused). No fault decides anything.
 *  E7  Notices of the webhook events that the setting names: the opening of a prompt, the warning before its deadline, its
 *      decision, and a task's cancellation and resumption each store one in the same atomic step. A notice is leased to one
 *      caller at a time, by the engine's own clock. It can be claimed again when the lease ends, until it is completed or is
 *      as old as `retention`. So it reaches its worker at least once, in no promised order, whichever nodes die.
 *
 * Times are Unix milliseconds by the engine's clock; durations milliseconds.
 */
import type {
  Answer,
  Choice,
  ConfirmationState,
  InputSchema,
  JsonObject,
  OnTimeout,
  Outcome,
  StepResult,
} from '../../protocol/confirmation.js';
import type { StreamPosition } from '../../protocol/messages.js';
import type { WebhookEventName } from '../../protocol/webhook-events.js';
import type { Arrival } from './deadlines.js';

export type { StreamPosition };

/* ---- confirmations ---- */

/** What a prompt shows. It never changes after `open`. */
export interface Prompt {
  stepResult: StepResult;
  title?: string;
  metadata?: JsonObject;
  choices?: Choice[];
  inputSchema?: InputSchema;
  risk?: 'irreversible';
  digest?: string;
}

export interface OpenRequest {
  /** Proposed by the caller; stays unless `key` finds an earlier prompt. */
  callbackId: string;
  userId: string;
  taskId: string;
  step: number;
  prompt: Prompt;
  /** `null`: waits for ever. */
  timeoutMs: number | null;
  onTimeout: OnTimeout;
  /** Who said `onTimeout`: a default that only a setting gave never becomes *proceed* for a deadline missed while nothing ran. */
  onTimeoutBy: 'caller' | 'setting';
  /** Unique per user. */
  key?: string;
  /** What must be equal for `key` to mean the same prompt. */
  fingerprint?: string;
}

export interface Decision {
  callbackId: string;
  userId: string;
  taskId: string;
  outcome: Outcome;
  proceed: boolean;
  feedback?: string;
  choice?: string;
  values?: JsonObject;
  /** The user who answered or cancelled; absent for anonymous connections and for the clock. */
  answeredBy?: string;
  /** The door by which the decision came: see `via.ts`. */
  via: string;
  /** When the outcome was fixed. */
  decidedAt: number;
  /** Why a task was cancelled or a prompt withdrawn. */
  reason?: string;
}

export interface Confirmation {
  callbackId: string;
  userId: string;
  taskId: string;
  step: number;
  prompt: Prompt;
  createdAt: number;
  /** `null`: no deadline. */
  expiresAt: number | null;
  onTimeout: OnTimeout;
  state: ConfirmationState;
  /** Present exactly when `state` is not `pending`. */
  decision?: Decision;
}

/**
 * Whose things a call may touch: `all` (back-end code, anonymous connections of open mode) or the named users'.
 * What lies outside is `not_found`, exactly like what does not exist.
 */
export type Scope = 'all' | readonly string[];

export interface DecideRequest {
  callbackId: string;
  scope: Scope;
  /** `null`: anonymous; all anonymous answerers count as one. */
  answeredBy: string | null;
  /** The door by which the answer came. The same answer by another door still counts as repeated. @default 'service' */
  via?: string;
  answer: Answer;
  /** When the answer reached the node; absent: now. */
  arrival?: Arrival;
}

/** `accepted`: this call decided. `repeated`: the same answerer gave the same answer before. */
export type DecideResult =
  { status: 'accepted' | 'repeated' | 'already_resolved'; confirmation: Confirmation } | { status: 'not_found' };

export interface ConfirmationQuery {
  scope: Scope;
  taskId?: string;
  state?: ConfirmationState;
  /** At most this many, oldest first. */
  limit: number;
  /** From an earlier page; opaque. */
  cursor?: string;
}

export interface Page<T> {
  items: T[];
  /** Present when there is more. */
  cursor?: string;
}

/* ---- tasks ---- */

export interface Task {
  taskId: string;
  /** The user with whom back-end code first named it; `null` while only a client has. */
  userId: string | null;
  cancelled: boolean;
  cancelledAt?: number;
  reason?: string;
  /** In events of a task that is nobody's yet: the user whom the canceller named. */
  namedUserId?: string;
}

export interface CancelRequest {
  taskId: string;
  scope: Scope;
  /** Who cancels; `null`: anonymous or back-end code. */
  cancelledBy: string | null;
  /** The door by which the cancellation came; the prompts that it resolves have it too. @default 'service' */
  via?: string;
  reason?: string;
  /** Whom the canceller says it belongs to; only passed on in the event while the task is nobody's. */
  namedUserId?: string;
  /** Whether a task that nobody has named yet is remembered as cancelled (open mode, back-end code) or not found. */
  allowUnknown: boolean;
  /** When the cancellation reached the node; absent: now. */
  arrival?: Arrival;
}

export type CancelResult = { status: 'cancelled' | 'already_cancelled'; task: Task } | { status: 'not_found' };

export type ResumeResult = { status: 'resumed' | 'not_cancelled'; task: Task } | { status: 'not_found' };

/* ---- messages ---- */

/** A message on a channel, at most once live. With `recoverable` it gets an offset and stands in history. */
export interface PublishRequest {
  channel: string;
  message: JsonObject;
  recoverable: boolean;
}

export interface Publication {
  channel: string;
  /** The message as JSON, an object: whoever passes it on need not read it. */
  text: string;
  /** Present on recoverable publications. */
  position?: StreamPosition;
  /** For `task:` channels: the task's user, whose connections are part of the audience. */
  audienceUserId?: string;
}

export interface PublishResult {
  /** Connections reached over all nodes; an estimate. */
  deliveredTo: number;
  position?: StreamPosition;
}

export interface HistoryRequest {
  channel: string;
  /** Exclusive. */
  since: StreamPosition;
  /** At most this many publications; fewer once those read have `PAGE_BYTES`. */
  limit: number;
}

/** A page of history takes no further publication once it has this many bytes. */
export const PAGE_BYTES = 131_072;

export type HistoryResult =
  /** Every publication after `since`, up to the page's bounds, and at least one if there is one; `head` is the channel's position at the time of reading. */
  | { complete: true; publications: { message: JsonObject; offset: number }[]; head: StreamPosition }
  /** The epoch is another, or something after `since` is gone. */
  | { complete: false; head: StreamPosition };

/** A message kept until one of the user's devices acknowledges it or its time to live ends. */
export interface AcknowledgedMessage {
  messageId: string;
  userId: string;
  message: JsonObject;
  expiresAt: number;
}

/** An acknowledged message on its way into the engine. When it expires is computed by the engine's clock. */
export interface SendAcknowledgedRequest extends Omit<AcknowledgedMessage, 'expiresAt'> {
  /** How long it is kept, whole milliseconds. */
  ttlMs: number;
}

export type AckResult = 'acknowledged' | 'repeated' | 'not_found';

/** What is there for a user who comes. */
export interface Waiting {
  /** Where the user's channel stands. */
  position: StreamPosition;
  /** Of all pending prompts, oldest first. */
  pendingIds: string[];
  /** Whether there are messages that nobody has acknowledged. */
  hasMessages: boolean;
}

/* ---- notices ---- */

/** Something that happened and of which somebody outside is to be told (E7). */
export interface Notice {
  /** The same however often it is told; letters, digits, `-`. */
  id: string;
  /** When it happened. */
  at: number;
  /** How often it has been claimed, this time included. */
  attempt: number;
  event: WebhookEventName;
  /** The prompt, pending in the events before its decision even when it has been decided since; or a task as the change left it. */
  subject: { kind: 'confirmation'; confirmation: Confirmation } | { kind: 'task'; task: Task };
}

export interface NoticeCounts {
  /** Notices that are not completed. */
  waiting: number;
  /** When the oldest of them happened. */
  oldestAt?: number;
}

/* ---- presence ---- */

export interface Presence {
  /** Connections of the user on all nodes. */
  connections: number;
}

/** One connection of a user. */
export interface Device {
  /** The node that it is connected to. */
  node: string;
  /** Unix milliseconds. */
  connectedAt: number;
  /** The peer's address. */
  address: string;
  /** Of the last ping that was described, in milliseconds. */
  roundTripMs?: number;
}

export interface Counts {
  pendingConfirmations: number;
  unacknowledgedMessages: number;
}

export interface ClusterStatus {
  engine: string;
  nodes: number;
  activeConnections: number;
}

/* ---- the two interfaces ---- */

/** What an engine tells this node. Implemented by the dispatcher; must not throw. */
export interface EngineHandler {
  /** A prompt was opened: show it. */
  onOpened(confirmation: Confirmation): void;
  /** A prompt was decided: settle who waits, tell the other devices. */
  onDecided(confirmation: Confirmation): void;
  /** 80 % of the prompt's time has passed. */
  onExpiring(confirmation: Confirmation): void;
  /** A task was cancelled, or resumed (`cancelled: false`). */
  onTask(task: Task): void;
  /** @returns how many of this node's connections were reached */
  onPublication(publication: Publication): number;
  /** @returns how many of this node's connections were reached */
  onAcknowledgedMessage(message: AcknowledgedMessage): number;
  onAcknowledged(messageId: string, userId: string): void;
  /** The per-user limit was passed: close this connection of this node. */
  onEvicted(connectionId: string): void;
  /** The user was revoked: close this node's connections of theirs. */
  onRevoked(userId: string): void;
  /** The user's rights may have changed: ask for them again. */
  onReview(userId: string): void;
  /** Events may have been lost: re-read. */
  onGap(): void;
  /** The channel stands at `head`, and of its publications up to there some may not have been emitted here. */
  onMissed(channel: string, head: StreamPosition): void;
  /**
   * There may be notices to claim (E7). Told at once on one node when something happened, and within a second or so on every node
   * while there is something that nobody has claimed.
   */
  onNotices(): void;
  /** So many notices were never completed, and are given up after the retention. */
  onNoticesDropped(count: number): void;
}

/** Resolved settings that every engine takes. */
export interface EngineSettings {
  /** How long decisions, cancellations and unacknowledged messages are kept. */
  retentionMs: number;
  historySize: number;
  historyTtlMs: number;
  maxConnectionsPerUser: number;
  /** Pending prompts of one user; with one more `open` rejects with `TooManyPendingError`. @default no limit */
  maxPendingPerUser?: number;
  /**
   * The events of which notices are kept (E7). Where nodes disagree, those that one of them names are kept, for the retention
   * after the last such node. A node that names some ends the keeping of the others at its start. @default none
   */
  notices?: readonly WebhookEventName[];
}

export interface Engine {
  readonly name: 'embedded' | 'redis';

  /**
   * Opens the store, applies deadlines that passed while nothing ran (a default of `proceed` only where the caller
   * itself gave it), then begins to emit events.
   * @throws ConfigurationError when the store cannot be used (locked by another process, corrupt, not writable)
   */
  start(handler: EngineHandler): Promise<void>;
  /** Emits the decisions that may not have been told before the last stop (E5). Called once, when listeners are in place. */
  replayDecisions(): Promise<void>;
  /** Finishes calls in flight and closes the store. Calls afterwards reject with `EngineUnavailableError`. */
  close(): Promise<void>;
  /** @throws EngineUnavailableError when the store does not answer within 2 s */
  ping(): Promise<void>;

  /**
   * Stores a pending prompt and emits `onOpened`. Claims an unclaimed task for the user. For a cancelled task the
   * prompt is stored as already `cancelled` (and emits `onDecided` only).
   * @returns `created: false` when `callbackId` or `key` named a prompt that exists, decided or not
   * @throws ConfirmationConflictError when `key` exists with another fingerprint, TooManyPendingError
   */
  open(request: OpenRequest): Promise<{ created: boolean; confirmation: Confirmation }>;
  /** The one atomic step (E2). The answer has been validated against the prompt by the caller. Emits `onDecided`. */
  decide(request: DecideRequest): Promise<DecideResult>;
  /** Like `decide`, with outcome `withdrawn`. A prompt that is withdrawn already is `repeated`. @param via @default 'service' */
  withdraw(callbackId: string, scope: Scope, reason?: string, via?: string, arrival?: Arrival): Promise<DecideResult>;
  /** Reading a prompt whose deadline has passed applies the deadline, if it may be applied (`deadlines.ts`). */
  get(callbackId: string): Promise<Confirmation | undefined>;
  /** @throws InvalidMessageError for a cursor that is none */
  list(query: ConfirmationQuery): Promise<Page<Confirmation>>;

  /** Names a task as a user's, unless somebody's already. */
  claimTask(taskId: string, userId: string): Promise<Task>;
  /** Remembers the cancellation and resolves the task's pending prompts in the same step. Emits `onTask`, then `onDecided` for each. */
  cancelTask(request: CancelRequest): Promise<CancelResult>;
  /** Forgets a cancellation. Emits `onTask` when there was one. */
  resumeTask(taskId: string): Promise<ResumeResult>;
  getTask(taskId: string): Promise<Task | undefined>;

  publish(request: PublishRequest): Promise<PublishResult>;
  /** The channel's current position. A channel that nothing was published to has an epoch all the same. */
  position(channel: string): Promise<StreamPosition>;
  history(request: HistoryRequest): Promise<HistoryResult>;

  sendAcknowledged(request: SendAcknowledgedRequest): Promise<PublishResult>;
  ack(messageId: string, scope: Scope): Promise<AckResult>;
  /** Whether the user's message has been acknowledged. Known until it expires. */
  isAcknowledged(messageId: string, userId: string): Promise<boolean>;
  unacknowledged(userId: string, limit: number, cursor?: string): Promise<Page<AcknowledgedMessage>>;

  /** What a user's new connection is to be shown, in one reading: a crowd that comes back at once must not cost many. */
  waiting(userId: string): Promise<Waiting>;

  /**
   * Leases notices that nobody holds, the longest waiting first: until `leaseMs` have passed nobody else gets them.
   * @returns fewer than `limit` where there are no more, as far as this node knows
   */
  claimNotices(limit: number, leaseMs: number): Promise<Notice[]>;
  /** It has been told: it never comes again. Also after the lease. @returns whether it was there */
  completeNotice(notice: Notice): Promise<boolean>;
  /** Gives a notice back, to come again after so long. @returns whether it was still this claim's to give */
  postponeNotice(notice: Notice, delayMs: number): Promise<boolean>;
  noticeCounts(): Promise<NoticeCounts>;

  /**
   * This node has one more connection for which a channel's events matter: `user:<id>` (prompts, messages), `task:<id>`,
   * a named channel, or `*` (an anonymous connection, which sees every user and task). Counted; once it has resolved, no
   * event of the channel that is stored later passes this node by. Decisions and cancellations reach every node anyway,
   * and `broadcast` every node that runs.
   */
  watch(channel: string): Promise<void>;
  /** Takes one `watch` back. */
  unwatch(channel: string): Promise<void>;

  /**
   * From now on the user's tokens issued until now count for nothing. Emits `onRevoked` on every node, within 2 s.
   * @returns the moment
   */
  revokeUser(userId: string): Promise<number>;
  /** Emits `onReview` on every node, within 2 s. */
  reviewAccess(userId: string): Promise<void>;
  /** When the user was last revoked; never forgotten. */
  revokedAt(userId: string): Promise<number | undefined>;

  /** Counts a connection as the user's; emits `onEvicted` for the user's oldest ones over the limit, wherever they are. */
  connect(connectionId: string, userId: string): Promise<void>;
  disconnect(connectionId: string, userId: string): Promise<void>;
  presence(userId: string): Promise<Presence>;
  /** Says of a connection that was counted what `devices` tells; again when the round-trip time is known. */
  describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void>;
  /** The user's connections on all nodes, oldest first; one that was not described yet is left out. */
  devices(userId: string): Promise<Device[]>;
  /** This node's connections, anonymous ones included, for the cluster's count. */
  cluster(localConnections: number): Promise<ClusterStatus>;
  counts(): Promise<Counts>;
}

/** DI token of the engine, of the same name as the interface. */
export const Engine = Symbol('Engine');
