-- What waits in the partition.
--
-- OUT pending_confirmations, unacknowledged_messages
--- @include "clock"
--- @include "text"
--- @include "keys/confirmations"
--- @include "keys/messages"
return { redis.call('ZCARD', PENDING), redis.call('ZCOUNT', WAITING, '(' .. text(now), '+inf') }
