-- Keeps what a node says of itself, for as long as it goes on saying it.
--- @include "root"
local node, report, ttl = unpack(ARGV)
return redis.call('SET', root .. ':report:' .. node, report, 'PX', ttl)
