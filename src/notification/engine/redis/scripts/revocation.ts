/** Users whose tokens were revoked. Told by the stream, which every node follows. */
import { CONFIRMATION_STEPS } from './confirmation.js';
import { script } from './script.js';

/** IN user; OUT {moment, feed order} */
export const REVOKE = script(
  'revoke',
  'settles',
  CONFIRMATION_STEPS,
  `
redis.call('SET', REVOKED(ARGV[1]), text(now))
return { text(now), event('revoked', ARGV[1], ARGV[1]) }
`,
);

/** IN user; OUT feed order */
export const REVIEW = script('review', 'settles', CONFIRMATION_STEPS, `return event('review', ARGV[1], ARGV[1])`);

/** IN user; OUT moment or nil */
export const REVOKED_AT = script('revoked-at', 'reads', `return redis.call('GET', REVOKED(ARGV[1]))`);
