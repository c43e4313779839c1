/** The events that the webhook sends, by name. */
export const WEBHOOK_EVENTS = [
  'confirmation.opened',
  'confirmation.expiring',
  'confirmation.answered',
  'confirmation.timed_out',
  'confirmation.cancelled',
  'confirmation.withdrawn',
  'task.cancelled',
  'task.resumed',
] as const;

export type WebhookEventName = (typeof WEBHOOK_EVENTS)[number];
