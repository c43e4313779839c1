/** Notices (E7) as every engine puts them together from what it has stored. */
import type { WebhookEventName } from '../../protocol/webhook-events.js';
import type { Confirmation, Notice, Task } from './engine.js';

type Envelope = Pick<Notice, 'id' | 'at' | 'attempt'>;

/** @param event absent where an older version stored it, which knew decisions only */
export function noticeOfConfirmation(
  envelope: Envelope,
  confirmation: Confirmation,
  event: WebhookEventName | null | undefined,
): Notice {
  const { decision: _decision, ...asked } = confirmation;
  if (event === 'confirmation.opened' || event === 'confirmation.expiring')
    return { ...envelope, event, subject: { kind: 'confirmation', confirmation: { ...asked, state: 'pending' } } };
  return { ...envelope, event: eventOfDecision(confirmation), subject: { kind: 'confirmation', confirmation } };
}

export function noticeOfTask(envelope: Envelope, task: Task): Notice {
  return { ...envelope, event: eventOfTask(task), subject: { kind: 'task', task } };
}

export function eventOfTask({ cancelled }: Pick<Task, 'cancelled'>): WebhookEventName {
  return cancelled ? 'task.cancelled' : 'task.resumed';
}

function eventOfDecision({ callbackId, state }: Confirmation): WebhookEventName {
  if (state === 'pending') throw new TypeError(`the notice of a decision names ${callbackId}, which is pending`);
  return `confirmation.${state}`;
}
