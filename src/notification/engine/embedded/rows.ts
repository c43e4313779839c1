/**
 * What crosses from the worker to the main thread: flat rows, which are cheap to copy, and their way into the
 * engine's words.
 */
import type { Json, JsonObject, OnTimeout, Outcome } from '../../../protocol/confirmation.js';
import type { WebhookEventName } from '../../../protocol/webhook-events.js';
import type { DismissRefusal } from '../deadlines.js';
import { confirmationEvent, taskEvent } from '../webhook-event.js';
import { storedVia } from '../via.js';
import type { Confirmation, Decided, DecideResult, Decision, WebhookEvent, OpenRequest, Page, Prompt, Task } from '../engine.js';

/** The columns of `confirmation` that are read outside the store. Objects are JSON text. */
export interface ConfirmationRow {
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
  fingerprint: string | null;
  state: 'pending' | Outcome;
  decision_seq: number | null;
  decided_at: number | null;
  proceed: number | null;
  feedback: string | null;
  choice: string | null;
  form_values: string | null;
  answered_by: string | null;
  reason: string | null;
  via: string | null;
  edited: string | null;
  seen_at: number | null;
  dismissed_until: number | null;
}

/** Cursors of lists are numbers of rows. */
export const ROW_CURSOR = /^\d{1,15}$/;

/**
 * The row of a confirmation that has just been opened. One literal with every column: V8 makes it in a tenth of the time of
 * a spread.
 */
export function pendingRow(request: OpenRow, seq: number, createdAt: number, expiresAt: number | null): ConfirmationRow {
  return {
    seq,
    callback_id: request.callbackId,
    user_id: request.userId,
    task_id: request.taskId,
    step: request.step,
    prompt: request.prompt,
    created_at: createdAt,
    expires_at: expiresAt,
    on_timeout: request.onTimeout,
    on_timeout_by: request.onTimeoutBy,
    fingerprint: request.fingerprint ?? null,
    state: 'pending',
    decision_seq: null,
    decided_at: null,
    proceed: null,
    feedback: null,
    choice: null,
    form_values: null,
    answered_by: null,
    reason: null,
    via: null,
    edited: null,
    seen_at: null,
    dismissed_until: null,
  };
}

export type DismissRow =
  { status: 'dismissed' | 'already_resolved'; row: ConfirmationRow } | { status: DismissRefusal | 'not_found' };

export type DecideRow =
  | { status: 'accepted' | 'repeated' | 'already_resolved'; row: ConfirmationRow }
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
  const asked = {
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
  const { state } = row;
  return state === 'pending' ? { ...asked, state } : { ...asked, state, decision: toDecision(row, state) };
}

export function toDecided(row: ConfirmationRow): Decided {
  const confirmation = toConfirmation(row);
  if (confirmation.state === 'pending') throw new TypeError(`the store calls ${row.callback_id} decided, which is pending`);
  return confirmation;
}

function toDecision(row: ConfirmationRow, outcome: Outcome): Decision {
  return {
    outcome,
    proceed: row.proceed === 1,
    ...(row.feedback !== null && { feedback: row.feedback }),
    ...(row.choice !== null && { choice: row.choice }),
    ...(row.form_values !== null && { values: JSON.parse(row.form_values) as JsonObject }),
    ...(row.edited !== null && { edited: JSON.parse(row.edited) as Json }),
    ...(row.answered_by !== null && { answeredBy: row.answered_by }),
    ...(row.reason !== null && { reason: row.reason }),
    via: storedVia(row.via, outcome),
    decidedAt: row.decided_at ?? row.created_at,
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

export function toDecideResult(result: Exclude<DecideRow, { status: 'waits' }>): DecideResult {
  return result.status === 'not_found' ? result : { status: result.status, confirmation: toDecided(result.row) };
}

export function toPage({ rows, cursor }: { rows: ConfirmationRow[]; cursor?: string }): Page<Confirmation> {
  return { items: rows.map(toConfirmation), ...(cursor !== undefined && { cursor }) };
}
