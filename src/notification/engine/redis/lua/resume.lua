-- Resumes a task. An emitted cancellation is carried out first: while the task is in UNDONE nothing changes.
--
-- OUT status ('resumed', 'not_cancelled' or 'undone'), task, newest_event, partitions
--- @include "emit-task-event"
--- @include "newest-event"
local id = unpack(ARGV)
local task = read_task(id)
local status = 'not_cancelled'
if redis.call('ZSCORE', UNDONE(), id) then
  status = 'undone'
elseif task[T.cancelled] then
  status = 'resumed'
  redis.call('HDEL', TASK(id), 'cancelled', 'by', 'reason', 'via')
  task[T.cancelled], task[T.by], task[T.reason], task[T.via] = false, false, false, false
  task[T.version] = emit_task_event(task, false)
  redis.call('HSET', TASK(id), 'version', task[T.version])
  redis.call('ZADD', TASKS(), now, id)
end
return { status, task, newest_event(), redis.call('SMEMBERS', TASK_PARTITIONS(id)) }
