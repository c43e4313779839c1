/**
 * The messages between the main thread and the worker. One batch of calls is under way at a time; its answer carries
 * an outcome for each call, in order, with the events that the call caused.
 */
import type {
  AcknowledgedMessage,
  AckResult,
  CancelRequest,
  ConfirmationQuery,
  Counts,
  EngineSettings,
  HistoryRequest,
  HistoryResult,
  QueueCounts,
  Page,
  Scope,
  StreamPosition,
} from '../engine.js';
import type { ReadStamp, StoreEvent } from './unit-of-work.js';
import type {
  AnswerRow,
  ConfirmationRow,
  DecidedRow,
  DecideRow,
  DismissRow,
  EventRow,
  OpenedRow,
  OpenRow,
  TaskRow,
  WaitingRow,
} from './rows.js';

/** Every step the store can be asked for. Messages travel as JSON text, answers' values as canonical JSON. */
export interface Operations {
  ping: () => void;
  /** The reply stands for the event of the opening itself. */
  open: (request: OpenRow) => OpenedRow;
  /** `arrivedAt`: when it reached the node, by the monotonic clock. A reply that is `accepted` stands for the decision's event. */
  decide: (
    callbackId: string,
    scope: Scope,
    answeredBy: string | null,
    via: string,
    answer: AnswerRow,
    arrivedAt: number,
  ) => DecideRow;
  withdraw: (callbackId: string, scope: Scope, reason: string | null, via: string, arrivedAt: number) => DecideRow;
  markSeen: (callbackId: string, scope: Scope) => ConfirmationRow | undefined;
  dismiss: (callbackId: string, scope: Scope, until: number | undefined) => DismissRow;
  get: (callbackId: string) => ConfirmationRow | undefined;
  list: (query: ConfirmationQuery) => { rows: ConfirmationRow[]; cursor?: string };
  claimTask: (taskId: string, userId: string) => TaskRow;
  cancelTask: (request: Omit<CancelRequest, 'arrival'>, arrivedAt: number) => { task: TaskRow; before: boolean } | undefined;
  resumeTask: (taskId: string) => { task: TaskRow; resumed: boolean } | undefined;
  getTask: (taskId: string) => TaskRow | undefined;
  /** The same, for a message to the task, which counts as a use of it. */
  reachTask: (taskId: string) => TaskRow | undefined;
  publish: (channel: string, message: string) => StreamPosition;
  /** Takes lines of the journal of publications. Those that it has are left out. @returns whether there is room for what is new */
  append: (lines: string) => boolean;
  position: (channel: string) => StreamPosition;
  history: (request: HistoryRequest) => HistoryResult;
  keep: (messageId: string, userId: string, message: string, ttlMs: number) => number | undefined;
  ack: (messageId: string, scope: Scope) => AckResult;
  isAcknowledged: (messageId: string) => boolean;
  unacknowledged: (userId: string, limit: number, cursor?: string) => Page<AcknowledgedMessage>;
  waiting: (userIds: readonly string[]) => WaitingRow[];
  revokeUser: (userId: string) => number;
  revokedAt: (userId: string) => number | undefined;
  /** Every user's moment, unless there are more than `most`. */
  allRevocations: (most: number) => [userId: string, revokedAt: number][] | undefined;
  counts: (agesMs?: readonly number[]) => Counts;
  claimEvents: (limit: number, leaseMs: number) => EventRow[];
  completeEvent: (id: string) => boolean;
  postponeEvent: (id: string, attempt: number, delayMs: number) => boolean;
  eventCounts: () => QueueCounts;
  /** Whether there are webhook events without a lease. */
  hasDueEvents: () => boolean;
  /** Applies what is due, a bounded piece of it. */
  due: () => void;
  /** Forgets what is past its time, a bounded piece of it. @returns whether there may be more */
  purge: () => boolean;
  /** A page of the decisions numbered above `from` up to `to`. */
  decisions: (from: number, to: number) => DecidedRow[];
  /** Decisions up to this number have been emitted. */
  emitted: (decision: number) => void;
}

export type OperationName = keyof Operations;
export type OperationResult<Name extends OperationName> = ReturnType<Operations[Name]>;

/** Every operation, called from the main thread. */
export type RemoteStore = {
  readonly [Name in OperationName]: (...args: Parameters<Operations[Name]>) => Promise<OperationResult<Name>>;
};

export interface Call<Name extends OperationName = OperationName> {
  name: Name;
  args: Parameters<Operations[Name]>;
  read: ReadStamp;
}

/** Why a call failed: `conflict` is the caller's fault, `full` refuses only new things, `unavailable` is the store's fault. */
export type Failure =
  | { kind: 'conflict'; key: string }
  | { kind: 'crowded'; limit: number }
  | { kind: 'full' | 'unavailable' | 'refused'; message: string };

export type CallOutcome = { value: unknown; events: StoreEvent[] } | { failure: Failure };

export interface StoreOptions {
  dataDir: string;
  settings: EngineSettings;
  reserveBytes: number;
}

/** `isStored`: every journaled publication has been committed. */
export type ToWorker = { type: 'batch'; calls: Call[] } | { type: 'close'; isStored: boolean };

export interface Opened {
  type: 'opened';
  warnings: string[];
  /** Decisions up to this number have been emitted. */
  emitted: number;
  /** The newest decision's number. */
  decisions: number;
  /** The monotonic moment at which something is due. */
  nextDue: number | null;
  /** Deadlines that passed while nothing ran are left: too many for the start to wait. */
  overdue: boolean;
  /** Lines of the journal that the store may lack. Absent: nothing is to be journaled. */
  journaled?: string;
}

export interface Outcomes {
  type: 'outcomes';
  outcomes: CallOutcome[];
  nextDue: number | null;
  warnings: string[];
}

export type FromWorker = Opened | Outcomes | { type: 'refused'; failure: Failure };

/** The store as the main thread sees it: a worker thread, which ends with `exit`. */
export interface StoreThread {
  postMessage(message: ToWorker): void;
  terminate(): unknown;
  on(event: 'message', listener: (message: FromWorker) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  once(event: 'exit', listener: () => void): unknown;
}
