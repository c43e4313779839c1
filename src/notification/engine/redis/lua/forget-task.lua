-- Forgets a task, unless it was used meanwhile; or notes that it is still in use.
--
-- IN  last_use: as the caller read it; busy: '1' when the task has pending confirmations
--- @include "clock"
--- @include "forget-channel"
--- @include "keys/tasks"
local id, last_use, busy = unpack(ARGV)
if redis.call('ZSCORE', TASKS(), id) ~= last_use then return 0 end
if busy == '1' then
  redis.call('ZADD', TASKS(), now, id)
else
  -- With its channel: the next task of this name may be another user's.
  forget_channel('task:' .. id)
  redis.call('DEL', TASK(id), TASK_PARTITIONS(id))
  redis.call('ZREM', TASKS(), id)
  redis.call('ZREM', UNDONE(), id)
end
return 1
