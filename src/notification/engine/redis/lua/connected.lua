-- The connections of a user, oldest first, and how often the user has come back lately.
--
-- OUT members ('<node> <connection>'), reconnects
--- @include "keys/presence"
local user = unpack(ARGV)
return { redis.call('ZRANGE', CONNECTIONS(user), 0, -1), tonumber(redis.call('GET', RECONNECTS(user)) or '0') }
