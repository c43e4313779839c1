/**
 * What crosses from the worker to the main thread: flat rows, which are cheap to copy, and their way into the
 * engine's words.
 */
import type { JsonObject, OnTimeout, Outcome } from '../../../protocol/confirmation.js';
import type { WebhookEventName } from '../../../protocol/webhook-events.js';
import { noticeOfConfirmation, noticeOfTask } from '../webhook-event.js';
import { storedVia } from '../via.js';
import type { Confirmation, DecideResult, Decision, Notice, OpenRequest, Page, Prompt, Task } from '../engine.js';

/** A row of `confirmation`, as far as anybody outside the store reads it. Objects are JSON text. */
export interface ConfirmationRecord {
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
}

/** A pending prompt has no decision. */
export const UNDECIDED = {
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
} as const;

export type DecideRecord =
  | { status: 'accepted' | 'repeated' | 'already_resolved'; record: ConfirmationRecord }
  | { status: 'not_found' }
  /** It came after the deadline, which cannot be applied before the node has read its sockets up to `until`, a monotonic moment. */
  | { status: 'waits'; until: number };

/** `values` is canonical JSON, so that equal answers are equal texts. */
export interface AnswerRecord {
  proceed: boolean;
  feedback: string | null;
  choice: string | null;
  values: string | null;
}

export interface TaskRecord {
  task_id: string;
  user_id: string | null;
  cancelled_at: number | null;
  cancelled_by: string | null;
  reason: string | null;
  cancelled_via: string | null;
  last_used_at: number;
}

export interface NoticeRecord extends Omit<Notice, 'subject' | 'event'> {
  /** `null` where an older version stored it. */
  event: WebhookEventName | null;
  /** One of the two is there. */
  confirmation: ConfirmationRecord | null;
  /** JSON of a `Task`. */
  task: string | null;
}

export type OpenRecord = Omit<OpenRequest, 'prompt'> & { prompt: string };

export function toConfirmation(record: ConfirmationRecord): Confirmation {
  const decision = toDecision(record);
  return {
    callbackId: record.callback_id,
    userId: record.user_id,
    taskId: record.task_id,
    step: record.step,
    prompt: JSON.parse(record.prompt) as Prompt,
    createdAt: record.created_at,
    expiresAt: record.expires_at,
    onTimeout: record.on_timeout,
    state: record.state,
    ...(decision && { decision }),
  };
}

function toDecision(record: ConfirmationRecord): Decision | undefined {
  if (record.state === 'pending') return undefined;
  return {
    callbackId: record.callback_id,
    userId: record.user_id,
    taskId: record.task_id,
    outcome: record.state,
    proceed: record.proceed === 1,
    ...(record.feedback !== null && { feedback: record.feedback }),
    ...(record.choice !== null && { choice: record.choice }),
    ...(record.form_values !== null && { values: JSON.parse(record.form_values) as JsonObject }),
    ...(record.answered_by !== null && { answeredBy: record.answered_by }),
    ...(record.reason !== null && { reason: record.reason }),
    via: storedVia(record.via, record.state),
    decidedAt: record.decided_at ?? record.created_at,
  };
}

export function toTask(record: TaskRecord): Task {
  return {
    taskId: record.task_id,
    userId: record.user_id,
    cancelled: record.cancelled_at !== null,
    ...(record.cancelled_at !== null && { cancelledAt: record.cancelled_at }),
    ...(record.reason !== null && { reason: record.reason }),
  };
}

export function toNotice({ confirmation, task, event, ...envelope }: NoticeRecord): Notice {
  if (confirmation) return noticeOfConfirmation(envelope, toConfirmation(confirmation), event);
  return noticeOfTask(envelope, JSON.parse(task ?? '') as Task);
}

export function toDecideResult(result: Exclude<DecideRecord, { status: 'waits' }>): DecideResult {
  return result.status === 'not_found' ? result : { status: result.status, confirmation: toConfirmation(result.record) };
}

export function toPage({ records, cursor }: { records: ConfirmationRecord[]; cursor?: string }): Page<Confirmation> {
  return { items: records.map(toConfirmation), ...(cursor !== undefined && { cursor }) };
}
