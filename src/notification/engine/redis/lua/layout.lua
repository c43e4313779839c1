-- The number of partitions. The first node sets it; the others must agree.
--
-- OUT the number
--- @include "root"
local partitions = unpack(ARGV)
redis.call('HSETNX', root, 'partitions', partitions)
return redis.call('HGET', root, 'partitions')
