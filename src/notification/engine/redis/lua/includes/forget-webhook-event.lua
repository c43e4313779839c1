--- @include "keys/webhook-events"
local function forget_webhook_event(id)
  redis.call('ZREM', CLAIMABLE, id)
  redis.call('ZREM', STORED, id)
  return redis.call('DEL', WEBHOOK_EVENT(id)) == 1
end
