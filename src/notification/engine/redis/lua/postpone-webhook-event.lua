-- Gives a claim of a webhook event back.
--
-- IN  attempt: of the claim; delay: milliseconds
-- OUT '1' when that claim still held it
--- @include "clock"
--- @include "text"
--- @include "keys/webhook-events"
local id, attempt, delay = unpack(ARGV)
if redis.call('HGET', WEBHOOK_EVENT(id), 'attempt') ~= attempt then return '' end
redis.call('ZADD', CLAIMABLE, text(now + tonumber(delay)), id)
return '1'
