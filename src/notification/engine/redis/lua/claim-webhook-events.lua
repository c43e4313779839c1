-- Leases webhook events that nobody holds. A lease is a later place in CLAIMABLE. Every claim counts as an attempt, which
-- distinguishes an old claim from the newest.
--
-- IN  lease: milliseconds
-- OUT events (groups of id, attempt, at, event?, kind, payload), more, given_up (how many have lost their subject)
--- @include "clock"
--- @include "text"
--- @include "record"
--- @include "forget-webhook-event"
local limit, lease = unpack(ARGV)
local found, given_up = {}, 0
local ids = redis.call('ZRANGEBYSCORE', CLAIMABLE, '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  local event = redis.call('HMGET', WEBHOOK_EVENT(id), 'kind', 'subject', 'at', 'event')
  local kind, payload = event[1], event[2]
  if kind == 'confirmation' then payload = read_record(payload) end
  if payload then
    redis.call('ZADD', CLAIMABLE, text(now + tonumber(lease)), id)
    local attempt = redis.call('HINCRBY', WEBHOOK_EVENT(id), 'attempt', 1)
    for _, value in ipairs({ id, text(attempt), event[3], event[4], kind, payload }) do found[#found + 1] = value end
  else
    forget_webhook_event(id)
    given_up = given_up + 1
  end
end
return { found, #ids == tonumber(limit) and '1' or '', text(given_up) }
