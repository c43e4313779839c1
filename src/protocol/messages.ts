/**
 * What the server sends without being asked, and what both directions share. `actions.ts` has what clients send, `replies.ts`
 * the reply to each action; `server-messages.ts` lists all that the server sends, by type. PROTOCOL.md describes the messages
 * in words; the AsyncAPI document is made from these types.
 *
 * Names are `snake_case`, times Unix seconds, durations seconds.
 */
import type { ErrorCode } from './codes.js';
import type { Choice, ConfirmationState, InputSchema, Json, JsonObject, OnTimeout, Outcome } from './confirmation.js';

export interface StreamPosition {
  /** Names one unbroken history of the channel. */
  epoch: string;
  /**
   * The number of the last plain message in it; the first has 1.
   * @integer
   */
  offset: number;
}

export type RequestId = string | number;

/** A confirmation as REST shows it. */
export interface ConfirmationView {
  callback_id: string;
  state: ConfirmationState;
  user_id: string;
  task_id: string;
  /** @integer */
  step: number;
  expires_at: number | null;
  /** When a device first showed it. */
  seen_at?: number;
  /** Until when the user's devices hide it. */
  dismissed_until?: number;
  proceed?: boolean;
  feedback?: string;
  choice?: string;
  values?: JsonObject;
  edited?: Json;
  answered_by?: string;
  answered_at?: number;
  /** The door by which the decision came; absent while pending. */
  via?: string;
}

/** A prompt: what a user is asked. */
export interface TaskStepResult {
  type: 'task_step_result';
  callback_id: string;
  user_id: string;
  task_id: string;
  /**
   * The number of the step.
   * @integer
   */
  step: number;
  /** The step result's own name for the step. */
  step_name: string | null;
  message: string | null;
  result: unknown;
  status: string | null;
  completed: boolean | null;
  error_code: string | number | null;
  error_message: string | null;
  timestamp: number;
  expires_at: number | null;
  /** What happens at the deadline; `null` where there is none. */
  default: OnTimeout | null;
  redelivered: boolean;
  title?: string;
  metadata?: JsonObject;
  choices?: Choice[];
  input_schema?: InputSchema;
  risk?: 'irreversible';
  /** What the user is to approve. */
  proposal?: Json;
  /** Whether an answer may carry `edited`. */
  editable?: boolean;
  digest?: string;
  /** Until when the user's devices hide the prompt. */
  dismissed_until?: number;
  /** Where the question belongs in a trace (W3C Trace Context). */
  traceparent?: string;
}

/** The prompt is hidden on this user's devices. */
export interface ConfirmationDismissed {
  type: 'confirmation_dismissed';
  callback_id: string;
  dismissed_until: number;
}

/** A prompt that this connection was shown is decided. */
export interface ConfirmationResolved {
  type: 'confirmation_resolved';
  callback_id: string;
  outcome: Outcome;
  proceed: boolean;
  answered_by?: string;
  choice?: string;
  via: string;
}

/** 80 % of the time until the deadline has passed. */
export interface ConfirmationExpiring {
  type: 'confirmation_expiring';
  callback_id: string;
  expires_at: number;
}

/** A task was cancelled. To the connection that asked for it, this is the reply. */
export interface TaskCancelled {
  type: 'task_cancelled';
  user_id: string | null;
  task_id: string;
  reason?: string;
  timestamp: number;
  request_id?: RequestId;
}

/** A task is still executing. */
export interface Heartbeat {
  type: 'heartbeat';
  status: 'heartbeat';
  message: 'Task is still executing...';
  user_id: string;
  task_id: string;
  timestamp: number;
}

/** Ends a recovery: `false` means that messages before this position are gone. */
export interface Recovered {
  type: 'recovered';
  channel: string;
  recovered: boolean;
  epoch: string;
  offset: number;
}

/** An action was refused. The connection stays open. */
export interface ErrorMessage {
  type: 'error';
  code: ErrorCode;
  message: string;
  timestamp: number;
  request_id?: RequestId;
  callback_id?: string;
  fields?: FieldErrors;
  confirmation?: ConfirmationView;
}

/** Field name (dotted where nested) -> what is wrong with it. */
export type FieldErrors = Record<string, string>;

/** The server ends a subscription: `forbidden` when the right is gone, `unavailable` when the policy could not be asked. */
export interface SubscriptionEnded {
  type: 'unsubscribed';
  channel: string;
  reason: 'forbidden' | 'unavailable';
}

/** The application's own message: any `type`, passed through as given. */
export interface ApplicationMessage {
  type: string;
  [field: string]: unknown;
}

/** The application's own message, with what the product adds where it applies. */
export interface DeliveredMessage extends ApplicationMessage {
  /** Sent to one user. */
  target_user_id?: string;
  /** A plain message on a channel whose epoch this connection has been given. */
  channel?: string;
  /**
   * Together with `channel`.
   * @integer
   */
  offset?: number;
  /** To be acknowledged with `ack`. */
  message_id?: string;
  requires_ack?: true;
}

/** Names the product adds to messages itself; a message that brings one is refused. */
export const RESERVED_FIELDS = ['channel', 'offset', 'epoch', 'message_id', 'requires_ack', 'target_user_id'] as const;

/** Types that only the product sends; those that begin with `confirmation_` are as well. */
const RESERVED_TYPES: ReadonlySet<string> = new Set([
  'task_step_result',
  'subscription_confirmed',
  'unsubscribed',
  'recovered',
  'pong',
  'error',
  'acknowledged',
  'authenticated',
  'pending',
]);

/** Whether a message of the application's own may not have this type. */
export const isReservedType = (type: string): boolean => RESERVED_TYPES.has(type) || type.startsWith('confirmation_');

/** Conflated types: a slow reader gets the newest of each task instead of a backlog. They have no offset and no history. */
export const CONFLATED_TYPES: ReadonlySet<string> = new Set(['task_progress', 'heartbeat']);
