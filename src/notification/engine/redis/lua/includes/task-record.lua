-- A task as it travels: id, user, cancelled, by, reason, version, via.
--
-- The version is the order of the task's newest change: its first claim, a cancellation, a resumption. A cancellation counts
-- only for confirmations of an older version, so that nothing of a forgotten task reaches a later one of the same name.
--- @include "keys/tasks"
local T = { id = 1, user = 2, cancelled = 3, by = 4, reason = 5, version = 6, via = 7 }
local function read_task(id)
  local task = redis.call('HMGET', TASK(id), 'id', 'user', 'cancelled', 'by', 'reason', 'version', 'via')
  task[T.version] = task[T.version] or '0'
  return task
end
