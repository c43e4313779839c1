/**
 * What crosses from the worker to the main thread: flat rows, which are cheap to copy, and their way into the
 * engine's words.
 */
import type { Json, JsonObject, OnTimeout, Outcome } from '../../../protocol/confirmation.js';
import type { WebhookEventName } from '../../../protocol/webhook-events.js';
import type { DismissRefusal } from '../deadlines.js';
import { confirmationEvent, taskEvent } from '../webhook-event.js';
import { storedVia } from '../via.js';
import type {
  Confirmation,
  Decided,
  Decision,
  OpenRequest,
  Page,
  Pending,
  Prompt,
  Task,
  Waiting,
  WebhookEvent,
} from '../engine.js';

/** The columns of `confirmation` that say what was asked. Objects are JSON text. */
export interface AskedRow {
  seq: number;
  callback_id: string;
  user_id: string;
  task_id: string;
  step: number;
  prompt: string;
  created_at: number;
  expires_at: number | null;
  on_timeout: OnTimeout;
  on_timeout_by: OpenRequest['onTimeoutBy'];
  seen_at: number | null;
  dismissed_until: number | null;
}

/** The columns that a decision sets. */
export interface DecisionRow {
  state: Outcome;
  decision_seq: number;
  decided_at: number;
  proceed: number;
  feedback: string | null;
  choice: string | null;
  form_values: string | null;
  answered_by: string | null;
  reason: string | null;
  via: string | null;
  edited: string | null;
}

export type PendingRow = AskedRow & { state: 'pending' };
export type DecidedRow = AskedRow & DecisionRow;
export type ConfirmationRow = PendingRow | DecidedRow;

/** Cursors of lists are numbers of rows. */
export const ROW_CURSOR = /^\d{1,15}$/;

/** What the engine has made of a request to open. */
export type OpenedRow =
  | { status: 'opened'; createdAt: number; expiresAt: number | null }
  /** The task was cancelled, and so is the new confirmation. */
  | { status: 'cancelled'; row: DecidedRow }
  | { status: 'found'; row: ConfirmationRow };

export type DismissRow =
  { status: 'dismissed' | 'already_resolved'; row: ConfirmationRow } | { status: DismissRefusal | 'not_found' };

export type DecideRow =
  | { status: 'accepted'; row: AskedRow; decision: DecisionRow }
  | { status: 'repeated' | 'already_resolved'; row: DecidedRow }
  | { status: 'not_found' }
  /** The call came after the deadline, which cannot be applied before the node has read its sockets up to `until`, a monotonic moment. */
  | { status: 'waits'; until: number };

/** `values` and `edited` are canonical JSON, so that equal answers are equal texts. */
export interface AnswerRow {
  proceed: boolean;
  feedback: string | null;
  choice: string | null;
  values: string | null;
  edited: string | null;
}

/** What waits for a user who connects. */
export type WaitingRow = Omit<Waiting, 'pending'> & { pending?: PendingRow[] };

export interface TaskRow {
  task_id: string;
  user_id: string | null;
  cancelled_at: number | null;
  cancelled_by: string | null;
  reason: string | null;
  cancelled_via: string | null;
  last_used_at: number;
}

export interface EventRow extends Omit<WebhookEvent, 'subject' | 'event'> {
  /** `null` where an older version stored it. */
  event: WebhookEventName | null;
  /** One of the two is there. */
  confirmation: ConfirmationRow | null;
  /** JSON of a `Task`. */
  task: string | null;
}

export type OpenRow = Omit<OpenRequest, 'prompt'> & { prompt: string };

export function toConfirmation(row: ConfirmationRow): Confirmation {
  return row.state === 'pending' ? { state: row.state, ...asked(row) } : toDecided(row, row);
}

export function toDecided(row: AskedRow, decision: DecisionRow): Decided {
  return { state: decision.state, decision: toDecision(decision), ...asked(row) };
}

function asked(row: AskedRow): Omit<Pending, 'state'> {
  return {
    callbackId: row.callback_id,
    userId: row.user_id,
    taskId: row.task_id,
    step: row.step,
    prompt: JSON.parse(row.prompt) as Prompt,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    onTimeout: row.on_timeout,
    ...(row.seen_at !== null && { seenAt: row.seen_at }),
    ...(row.dismissed_until !== null && { dismissedUntil: row.dismissed_until }),
  };
}

function toDecision(row: DecisionRow): Decision {
  return {
    outcome: row.state,
    proceed: row.proceed === 1,
    ...(row.feedback !== null && { feedback: row.feedback }),
    ...(row.choice !== null && { choice: row.choice }),
    ...(row.form_values !== null && { values: JSON.parse(row.form_values) as JsonObject }),
    ...(row.edited !== null && { edited: JSON.parse(row.edited) as Json }),
    ...(row.answered_by !== null && { answeredBy: row.answered_by }),
    ...(row.reason !== null && { reason: row.reason }),
    via: storedVia(row.via, row.state),
    decidedAt: row.decided_at,
  };
}

export function toTask(row: TaskRow): Task {
  return {
    taskId: row.task_id,
    userId: row.user_id,
    cancelled: row.cancelled_at !== null,
    ...(row.cancelled_at !== null && { cancelledAt: row.cancelled_at }),
    ...(row.reason !== null && { reason: row.reason }),
  };
}

export function toWebhookEvent({ confirmation, task, event, ...envelope }: EventRow): WebhookEvent {
  if (confirmation) return confirmationEvent(envelope, toConfirmation(confirmation), event);
  return taskEvent(envelope, JSON.parse(task ?? '') as Task);
}

export function toPage({ rows, cursor }: { rows: ConfirmationRow[]; cursor?: string }): Page<Confirmation> {
  return { items: rows.map(toConfirmation), ...(cursor !== undefined && { cursor }) };
}
