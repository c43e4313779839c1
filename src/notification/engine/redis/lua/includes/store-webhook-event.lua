-- Stores a webhook event if a node asks for events of that name (E7).
--- @include "clock"
--- @include "text"
--- @include "keys/webhook-events"
local function store_webhook_event(id, kind, subject, name)
  if tonumber(redis.call('HGET', META, 'notices:' .. name) or '0') < now then return end
  id = string.gsub(id, '[^%w]', '-')
  redis.call('HSET', WEBHOOK_EVENT(id), 'kind', kind, 'subject', subject, 'event', name, 'at', text(now))
  redis.call('ZADD', CLAIMABLE, text(now), id)
  redis.call('ZADD', STORED, text(now), id)
end
