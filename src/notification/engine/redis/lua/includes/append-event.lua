-- Appends an event to the stream, which is the truth, and publishes it, which only wakes. The message names the event
-- before it, so that a node sees when it has missed one.
--- @include "next-order"
--- @include "keys/events"
--- @include "keys/pubsub"
local function append_event(kind, subject, payload)
  local order = next_order()
  local before = redis.call('HGET', META, 'feed') or '0'
  redis.call('XADD', EVENTS, order .. '-0', kind, subject)
  redis.call('HSET', META, 'feed', order)
  redis.call('SPUBLISH', TO_FEED(), cjson.encode({ before, order, kind, payload }))
  return order
end
