-- The connections of a user, oldest first.
--
-- OUT a list of '<node> <connection>'
--- @include "keys/presence"
local user = unpack(ARGV)
return redis.call('ZRANGE', CONNECTIONS(user), 0, -1)
