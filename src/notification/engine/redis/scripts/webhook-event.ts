/** Scripts of webhook events (E7). The scripts that change something store them, in the same step. */
import { fields, flag, groupsOf, number, optional, text } from '../reply-decoder.js';
import { script } from './script.js';

export const CLAIM_WEBHOOK_EVENTS = script('claim-webhook-events', {
  kind: 'maintains',
  args: { limit: 'number', lease: 'number' },
  reply: fields({
    events: groupsOf({
      id: text,
      attempt: number,
      at: number,
      event: optional(text),
      kind: text,
      payload: (reply) => reply,
    }),
    more: flag,
    givenUp: number,
  }),
});

export const COMPLETE_WEBHOOK_EVENT = script('complete-webhook-event', {
  kind: 'maintains',
  args: { id: 'text' },
  reply: flag,
});

export const POSTPONE_WEBHOOK_EVENT = script('postpone-webhook-event', {
  kind: 'maintains',
  args: { id: 'text', attempt: 'number', delay: 'number' },
  reply: flag,
});

export const COUNT_WEBHOOK_EVENTS = script('count-webhook-events', {
  kind: 'reads',
  args: {},
  reply: fields({ waiting: number, oldestMs: optional(number) }),
});
