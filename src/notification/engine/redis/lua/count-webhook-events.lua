-- The webhook events that are not completed.
--
-- OUT waiting, oldest_ms? (for how long the oldest has been waiting)
--- @include "clock"
--- @include "text"
--- @include "keys/webhook-events"
local stored_at = redis.call('ZRANGE', STORED, 0, 0, 'WITHSCORES')[2]
return { text(redis.call('ZCARD', STORED)), stored_at and text(math.max(0, now - stored_at)) or false }
