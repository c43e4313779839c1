/** Webhook events for tests that count those of decisions and tasks. */
import { WEBHOOK_EVENTS } from '../../src/protocol/webhook-events.js';

export const AFTER_DECISIONS = WEBHOOK_EVENTS.filter(
  (name) => name !== 'confirmation.opened' && name !== 'confirmation.expiring',
);
