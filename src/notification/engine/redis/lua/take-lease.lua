-- Announces to every node that one has taken the lease of a task's heartbeat. The stream does not store that: its order there is 0.
--
-- OUT the place of this take among all takes of the partition
--- @include "next-order"
--- @include "keys/pubsub"
local task, node = unpack(ARGV)
local order = next_order()
redis.call('SPUBLISH', TO_FEED(), cjson.encode({ '0', '0', 'lease', { task, node, order } }))
return order
