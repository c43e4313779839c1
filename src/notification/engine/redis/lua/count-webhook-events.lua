-- The webhook events that are not completed.
--
-- OUT waiting, oldest_at?
--- @include "text"
--- @include "keys/webhook-events"
return { text(redis.call('ZCARD', STORED)), redis.call('ZRANGE', STORED, 0, 0, 'WITHSCORES')[2] or false }
