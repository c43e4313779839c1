-- Announces to every node that one has taken the lease of a task's heartbeat. The stream does not store that: the order is 0.
--- @include "keys/pubsub"
local task, node = unpack(ARGV)
redis.call('SPUBLISH', TO_FEED, cjson.encode({ '0', '0', 'lease', { task, node } }))
