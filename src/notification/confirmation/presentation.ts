/**
 * What others get to see of a confirmation: the prompt's frame, its REST view, the caller's result.
 */
import type { Confirmation, Decided } from '../engine/engine.js';
import type {
  ConfirmationDismissed,
  ConfirmationExpiring,
  ConfirmationResolved,
  ConfirmationView,
  TaskStepResult,
} from '../../protocol/messages.js';
import type { Json, JsonObject, Outcome } from '../../protocol/confirmation.js';
import { toSeconds } from '../../protocol/time.js';

/** What `notifyUser` resolves with. */
export interface ConfirmationResult {
  proceed: boolean;
  feedback?: string;
  choice?: string;
  values?: JsonObject;
  /** What the user made of the prompt's `proposal`; only beside `proceed: true`. */
  edited?: Json;
  outcome: Outcome;
  /** The user who answered or cancelled; absent for anonymous connections and time-outs. */
  answeredBy?: string;
  /** Unix milliseconds; present when `outcome` is `answered`. */
  answeredAt?: number;
  /**
   * The door by which the decision came: `websocket`, `rest`, `service` (code in the same process), `link`, `push`, `mcp`,
   * `clock` (a deadline), or what the service passed that answered for a person. `unknown` for decisions of older versions.
   */
  via: string;
  callbackId: string;
}

const secondsIf = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : toSeconds(ms));

/** What a prompt shows the user: the fields that its digest is made of. */
export function shownFields({
  userId,
  taskId,
  step,
  prompt,
}: Pick<Confirmation, 'userId' | 'taskId' | 'step' | 'prompt'>): ShownFields {
  const { stepResult } = prompt;
  return {
    user_id: userId,
    task_id: taskId,
    step,
    step_name: stepResult.step ?? null,
    message: stepResult.message,
    result: stepResult.result ?? null,
    status: stepResult.status ?? null,
    completed: stepResult.completed ?? null,
    error_code: stepResult.error_code ?? null,
    error_message: stepResult.error_message ?? null,
    title: prompt.title,
    metadata: prompt.metadata,
    choices: prompt.choices,
    input_schema: prompt.inputSchema,
    risk: prompt.risk,
    proposal: prompt.proposal,
    editable: prompt.editable,
  };
}

export function promptMessage(confirmation: Confirmation, redelivered: boolean): TaskStepResult {
  return {
    type: 'task_step_result',
    callback_id: confirmation.callbackId,
    ...shownFields(confirmation),
    timestamp: toSeconds(confirmation.createdAt),
    expires_at: confirmation.expiresAt === null ? null : toSeconds(confirmation.expiresAt),
    default: confirmation.expiresAt === null ? null : confirmation.onTimeout,
    redelivered,
    digest: confirmation.prompt.digest,
    dismissed_until: secondsIf(confirmation.dismissedUntil),
    traceparent: confirmation.prompt.traceparent,
  };
}

type ShownFields = Omit<
  TaskStepResult,
  'type' | 'callback_id' | 'timestamp' | 'expires_at' | 'default' | 'redelivered' | 'digest' | 'dismissed_until' | 'traceparent'
>;

export function resolvedMessage({ callbackId, decision }: Decided): ConfirmationResolved {
  return {
    type: 'confirmation_resolved',
    callback_id: callbackId,
    outcome: decision.outcome,
    proceed: decision.proceed,
    answered_by: decision.answeredBy,
    choice: decision.choice,
    via: decision.via,
  };
}

export function dismissedMessage({ callbackId, dismissedUntil = 0 }: Confirmation): ConfirmationDismissed {
  return { type: 'confirmation_dismissed', callback_id: callbackId, dismissed_until: toSeconds(dismissedUntil) };
}

export function expiringMessage(confirmation: Confirmation): ConfirmationExpiring {
  return {
    type: 'confirmation_expiring',
    callback_id: confirmation.callbackId,
    expires_at: toSeconds(confirmation.expiresAt ?? 0),
  };
}

export function confirmationView(confirmation: Confirmation): ConfirmationView {
  const { decision } = confirmation;
  return {
    callback_id: confirmation.callbackId,
    state: confirmation.state,
    user_id: confirmation.userId,
    task_id: confirmation.taskId,
    step: confirmation.step,
    expires_at: confirmation.expiresAt === null ? null : toSeconds(confirmation.expiresAt),
    seen_at: secondsIf(confirmation.seenAt),
    dismissed_until: secondsIf(confirmation.dismissedUntil),
    ...(decision && {
      proceed: decision.proceed,
      feedback: decision.feedback,
      choice: decision.choice,
      values: decision.values,
      edited: decision.edited,
      answered_by: decision.answeredBy,
      answered_at: decision.outcome === 'answered' ? toSeconds(decision.decidedAt) : undefined,
      via: decision.via,
    }),
  };
}

/** An entry of the inbox: the state, and what the prompt shows. */
export function inboxEntry(confirmation: Confirmation): ConfirmationView & Omit<TaskStepResult, 'type' | 'redelivered'> {
  const { type: _type, redelivered: _redelivered, ...shown } = promptMessage(confirmation, true);
  return { ...shown, ...confirmationView(confirmation) };
}

export function confirmationResult({ callbackId, decision }: Decided): ConfirmationResult {
  const { outcome, proceed, feedback, choice, values, edited, answeredBy, via } = decision;
  const answeredAt = outcome === 'answered' ? decision.decidedAt : undefined;
  return { proceed, feedback, choice, values, edited, outcome, answeredBy, answeredAt, via, callbackId };
}
