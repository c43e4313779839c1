-- When a message was acknowledged.
--
-- OUT the moment?
--- @include "keys/messages"
local id = unpack(ARGV)
return redis.call('HGET', MESSAGE(id), 'acknowledged')
