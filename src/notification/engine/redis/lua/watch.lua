-- Says how many connections of a node watch a channel.
--
-- IN  ttl: milliseconds
--- @include "keys/watchers"
local channel, node, count, ttl = unpack(ARGV)
if count == '0' then
  redis.call('HDEL', WATCHERS(channel), node)
else
  redis.call('HSET', WATCHERS(channel), node, count)
  redis.call('PEXPIRE', WATCHERS(channel), ttl)
end
return 1
