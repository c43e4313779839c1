-- Puts a connection on its user's list. One that was taken off by mistake, or lost, gets back the place that it had.
--
-- IN  member: '<node> <connection>'; ttl: milliseconds; known_order: of a connection that was on the list, '' for a new one;
--     reconnects_for: for how long reconnects are counted, milliseconds
-- OUT order, members (the user's connections, oldest first), reconnected ('1': it replaces one that has just ended)
--- @include "next-order"
--- @include "keys/presence"
local user, member, ttl, known_order, reconnects_for = unpack(ARGV)
local key = CONNECTIONS(user)
local reconnected = false
if not redis.call('ZSCORE', key, member) then
  redis.call('ZADD', key, known_order ~= '' and known_order or next_order(), member)
  reconnected = known_order == '' and tonumber(redis.call('GET', ENDED(user)) or '0') > 0
  if reconnected then
    redis.call('DECR', ENDED(user))
    if redis.call('INCR', RECONNECTS(user)) == 1 then redis.call('PEXPIRE', RECONNECTS(user), reconnects_for) end
  end
end
redis.call('PEXPIRE', key, ttl)
return { text(tonumber(redis.call('ZSCORE', key, member))), redis.call('ZRANGE', key, 0, -1), reconnected and '1' or '' }
