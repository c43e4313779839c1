-- Puts a connection on its user's list. One that was taken off by mistake, or lost, gets back the place that it had.
--
-- IN  member: '<node> <connection>'; ttl: milliseconds; known_order: of a connection that was on the list, '' for a new one
-- OUT order, members (the user's connections, oldest first)
--- @include "next-order"
--- @include "keys/presence"
local user, member, ttl, known_order = unpack(ARGV)
local key = CONNECTIONS(user)
if not redis.call('ZSCORE', key, member) then redis.call('ZADD', key, known_order ~= '' and known_order or next_order(), member) end
redis.call('PEXPIRE', key, ttl)
return { text(tonumber(redis.call('ZSCORE', key, member))), redis.call('ZRANGE', key, 0, -1) }
