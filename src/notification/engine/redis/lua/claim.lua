-- Claims a task for a user, unless it is somebody's already, and notes in which partition it will have a confirmation.
--
-- IN  partition: '' for none; retention: milliseconds
-- OUT the task
--- @include "next-order"
--- @include "task-record"
local id, user, partition, retention = unpack(ARGV)
local task = read_task(id)
local function note_use() redis.call('ZADD', TASKS(), now, id) end
if not task[T.id] then
  task[T.version] = next_order()
  redis.call('HSET', TASK(id), 'version', task[T.version])
end
if not task[T.user] then
  redis.call('HSET', TASK(id), 'id', id, 'user', user)
  task[T.id], task[T.user] = id, user
  if not task[T.cancelled] then note_use() end
elseif not task[T.cancelled] then
  -- Coarse, so that a busy task is not written with every confirmation. A cancelled task was last used when it was cancelled.
  local last_use = tonumber(redis.call('ZSCORE', TASKS(), id) or '0')
  if last_use < now - retention / 10 then note_use() end
end
if partition ~= '' then redis.call('SADD', TASK_PARTITIONS(id), partition) end
return task
