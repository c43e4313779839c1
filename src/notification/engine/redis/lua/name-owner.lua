-- Notes whose a message is, in the partition of the message's id.
--
-- IN  ttl: milliseconds
-- OUT the user
--- @include "keys/message-owners"
local id, user, ttl = unpack(ARGV)
redis.call('SET', MESSAGE_OWNER(id), user, 'PX', ttl, 'NX')
return redis.call('GET', MESSAGE_OWNER(id))
