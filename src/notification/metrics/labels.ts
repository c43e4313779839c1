/** The values that labels take. Every set is closed: what a client or an application names never becomes a label. */
import { CLOSE, type ERROR_STATUS } from '../../protocol/codes.js';
import type { Outcome } from '../../protocol/confirmation.js';
import type { ServerMessages } from '../../protocol/server-messages.js';

/** The types of the product's own messages, and the application's progress. */
type SentType = keyof ServerMessages | 'task_progress';

const SENT: Record<SentType, true> = {
  acknowledged: true,
  authenticated: true,
  confirmation_accepted: true,
  confirmation_dismissed: true,
  confirmation_expiring: true,
  confirmation_resolved: true,
  dismissed: true,
  error: true,
  heartbeat: true,
  pending: true,
  pong: true,
  recovered: true,
  seen: true,
  subscription_confirmed: true,
  task_cancelled: true,
  task_progress: true,
  task_step_result: true,
  unsubscribed: true,
};
export const SENT_TYPES = Object.keys(SENT);

/** The action of a frame that is no message. */
export const UNREADABLE = 'unreadable';

/** Why a handshake was refused: an error code in lower case, or one of these. */
export type RefusedBecause = Lowercase<keyof typeof ERROR_STATUS> | 'malformed' | 'connection_limit' | 'address_limit';
export const REFUSED_BECAUSE = [
  'address_limit',
  'connection_limit',
  'forbidden',
  'malformed',
  'not_found',
  'rate_limited',
  'unauthenticated',
  'unavailable',
] as const satisfies RefusedBecause[];

export const OUTCOMES = ['answered', 'timed_out', 'cancelled', 'withdrawn'] as const satisfies Outcome[];

/** Close codes: those of RFC 6455 and the product's own. A client may send any other. */
export const CLOSE_CODES = [
  ...['1000', '1001', '1002', '1003', '1005', '1006', '1007', '1008', '1009', '1011'],
  ...Object.values(CLOSE).map(({ code }) => String(code)),
];

/** The product's own doors (`via` of a decision). */
export const DOORS: ReadonlySet<string> = new Set(['websocket', 'rest', 'service', 'link', 'push', 'mcp', 'clock']);

/** What HTTP requests are answered with. */
export const STATUSES = [
  ...['200', '201', '202', '204', '304', '400', '401', '403', '404', '405', '409', '413'],
  ...['415', '422', '426', '429', '431', '500', '503', '507'],
];

/** What became of an attempt to deliver a webhook event. */
export const WEBHOOK_RESULTS = ['delivered', '3xx', '4xx', '5xx', 'timeout', 'unreachable'] as const;
export type WebhookResult = (typeof WEBHOOK_RESULTS)[number];

/** Pending confirmations by age: each label, and the age below which it ends. */
export const AGES = [
  { age: 'under_1m', belowMs: 60_000 },
  { age: '1m_to_5m', belowMs: 300_000 },
  { age: '5m_to_1h', belowMs: 3_600_000 },
  { age: '1h_to_1d', belowMs: 86_400_000 },
  { age: 'over_1d', belowMs: Infinity },
] as const;
