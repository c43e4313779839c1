-- The user of a message.
--
-- OUT the user?
--- @include "keys/message-owners"
local id = unpack(ARGV)
return redis.call('GET', MESSAGE_OWNER(id))
