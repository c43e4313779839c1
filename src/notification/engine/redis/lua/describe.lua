-- Stores what is known of a connection that is on its user's list.
--
-- IN  member: '<node> <connection>'; device: JSON; ttl: milliseconds
--- @include "keys/presence"
local user, member, device, ttl = unpack(ARGV)
if redis.call('ZSCORE', CONNECTIONS(user), member) then
  redis.call('HSET', DEVICES(user), member, device)
  redis.call('PEXPIRE', DEVICES(user), ttl)
end
return 1
