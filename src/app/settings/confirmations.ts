/** Settings: deadlines, and how long confirmations and messages are kept. */
import { oneOf, seconds, whole, type Table } from './kinds.js';

export const confirmations = {
  WEBSOCKET_CALLBACK_TIMEOUT: {
    ...seconds(),
    option: 'callbackTimeoutMs',
    about: 'Seconds until a confirmation’s deadline when the call gives none.',
  },
  WEBSOCKET_TIMEOUT_DECISION: {
    ...oneOf('proceed', 'abort', 'error'),
    option: 'timeoutDecision',
    about:
      'What the deadline decides when the call does not say. A `proceed` counts only for a deadline that was applied in time ([deadlines](deadlines.md)).',
  },
  WEBSOCKET_MAX_PENDING_PER_USER: {
    ...whole('a whole number from 1', 1),
    option: 'maxPendingPerUser',
    about: 'Pending confirmations of one user; one more is refused with 507 `STORE_FULL`.',
  },
  WEBSOCKET_RETENTION: {
    ...seconds(),
    option: 'retentionMs',
    about: 'Seconds for which decisions, cancellations, unacknowledged messages and undelivered webhook events are kept.',
  },
  WEBSOCKET_HISTORY_SIZE: {
    ...whole('messages, from 0', 0),
    option: 'historySize',
    about: 'Messages that a channel’s history keeps.',
  },
  WEBSOCKET_HISTORY_TTL: { ...seconds(), option: 'historyTtlMs', about: 'Seconds for which they stay there.' },
} as const satisfies Table;
