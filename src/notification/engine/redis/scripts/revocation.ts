/** Scripts of revocations. */
import { fields, number, optional } from '../reply-decoder.js';
import { script } from './script.js';

export const REVOKE = script('revoke', {
  kind: 'decides',
  args: { user: 'text' },
  reply: fields({ revokedAt: number, newestEvent: number }),
});

export const REVIEW = script('review', { kind: 'decides', args: { user: 'text' }, reply: number });

export const REVOKED_AT = script('revoked-at', { kind: 'reads', args: { user: 'text' }, reply: optional(number) });
