-- Whether a task has pending confirmations in this partition.
--
-- OUT their number
--- @include "keys/confirmations"
local task = unpack(ARGV)
return redis.call('ZCARD', OF_TASK_PENDING(task))
