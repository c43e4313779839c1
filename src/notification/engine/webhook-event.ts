/** Webhook events (E7), as every engine makes them from what it has stored. */
import type { WebhookEventName } from '../../protocol/webhook-events.js';
import type { Confirmation } from './confirmation-store.js';
import type { WebhookEvent } from './event-queue.js';
import type { Task } from './task-store.js';

type Envelope = Pick<WebhookEvent, 'id' | 'at' | 'attempt'>;

/** @param event absent where an older version stored it, which knew decisions only */
export function confirmationEvent(
  envelope: Envelope,
  confirmation: Confirmation,
  event: WebhookEventName | null | undefined,
): WebhookEvent {
  const { decision: _decision, ...asked } = confirmation;
  if (event === 'confirmation.opened' || event === 'confirmation.expiring')
    return { ...envelope, event, subject: { kind: 'confirmation', confirmation: { ...asked, state: 'pending' } } };
  return { ...envelope, event: nameOfDecisionEvent(confirmation), subject: { kind: 'confirmation', confirmation } };
}

export function taskEvent(envelope: Envelope, task: Task): WebhookEvent {
  return { ...envelope, event: nameOfTaskEvent(task), subject: { kind: 'task', task } };
}

export function nameOfTaskEvent({ cancelled }: Pick<Task, 'cancelled'>): WebhookEventName {
  return cancelled ? 'task.cancelled' : 'task.resumed';
}

function nameOfDecisionEvent({ callbackId, state }: Confirmation): WebhookEventName {
  if (state === 'pending') throw new TypeError(`the event of a decision names ${callbackId}, which is pending`);
  return `confirmation.${state}`;
}
