/**
 * Notices (E7): webhook events until they are delivered. `note` writes them, in the script that makes the change, to its
 * partition.
 *
 *  1. Those of an event are kept while META's `notices:<event>` lies ahead. Nodes that want them push it on with every tick.
 *  2. A lease is nothing but a later place in NOTICES; what is claimed counts its attempts, so that an old claim is told
 *     from the newest.
 */
import { CONFIRMATION_STEPS } from './confirmation.js';
import { script } from './script.js';

/**
 * Leases notices.
 * IN  limit, lease
 * OUT {{id, attempt, moment, event or nil, 'confirmation', record, id, attempt, moment, event or nil, 'task', JSON, …}, '1' while there are more, how many were given up}
 */
export const CLAIM_NOTICES = script(
  'claim-notices',
  'notes',
  CONFIRMATION_STEPS,
  `
local limit, found, lost = tonumber(ARGV[1]), {}, 0
local ids = redis.call('ZRANGEBYSCORE', NOTICES, '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  local notice = redis.call('HMGET', NOTICE(id), 'kind', 'subject', 'at', 'event')
  local payload = notice[2]
  if notice[1] == 'confirmation' then payload = load(notice[2]) end
  if payload then
    redis.call('ZADD', NOTICES, text(now + tonumber(ARGV[2])), id)
    local attempt = redis.call('HINCRBY', NOTICE(id), 'attempt', 1)
    for _, value in ipairs({ id, text(attempt), notice[3], notice[4], notice[1], payload }) do found[#found + 1] = value end
  else
    forget_notice(id)
    lost = lost + 1
  end
end
return { found, #ids == limit and '1' or '', text(lost) }
`,
);

/** IN id; OUT '1' when it was there */
export const COMPLETE_NOTICE = script(
  'complete-notice',
  'notes',
  CONFIRMATION_STEPS,
  `return forget_notice(ARGV[1]) and '1' or ''`,
);

/** Gives a claim back. IN id, attempt, for how long; OUT '1' when it was still that claim's */
export const POSTPONE_NOTICE = script(
  'postpone-notice',
  'notes',
  `
if redis.call('HGET', NOTICE(ARGV[1]), 'attempt') ~= ARGV[2] then return '' end
redis.call('ZADD', NOTICES, text(now + tonumber(ARGV[3])), ARGV[1])
return '1'
`,
);

/** OUT {how many are not completed, when the oldest of them happened or nil} */
export const COUNT_NOTICES = script(
  'count-notices',
  'reads',
  `return { text(redis.call('ZCARD', NOTED)), redis.call('ZRANGE', NOTED, 0, 0, 'WITHSCORES')[2] or false }`,
);
