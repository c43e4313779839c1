-- The partitions in which a task has had confirmations.
--
-- OUT a list of partitions
--- @include "keys/tasks"
local id = unpack(ARGV)
return redis.call('SMEMBERS', TASK_PARTITIONS(id))
