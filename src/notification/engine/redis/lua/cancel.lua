-- Cancels a task in the task's partition. Its confirmations, which are in their users' partitions, follow (cancel-confirmations). A
-- task that still has partitions to follow stands in UNDONE until they have.
--
-- IN  named_user: whom the caller names as the task's user; allow_unknown: '1' where an unknown task may be cancelled
-- OUT status ('cancelled', 'already_cancelled' or 'not_found'), task?, partitions?, undone? ('1' while they have not all
--     followed), newest_event?
--- @include "emit-task-event"
--- @include "newest-event"
--- @include "optional"
--- @include "set-if-given"
--- @include "is-in-scope"
local id, scope, cancelled_by, reason, named_user, allow_unknown, via = unpack(ARGV)
local task = read_task(id)
local allowed
if task[T.user] then allowed = is_in_scope(scope, task[T.user]) else allowed = allow_unknown == '1' end
if not allowed then return { 'not_found' } end
local status = 'already_cancelled'
if not task[T.cancelled] then
  status = 'cancelled'
  local by, why = optional(cancelled_by), optional(reason)
  task[T.id], task[T.cancelled], task[T.by], task[T.reason], task[T.via] = id, text(now), by, why, via
  local order = emit_task_event(task, (not task[T.user]) and optional(named_user))
  task[T.version] = order
  redis.call('HSET', TASK(id), 'id', id, 'cancelled', text(now), 'version', order, 'via', via)
  set_if_given(TASK(id), 'by', by)
  set_if_given(TASK(id), 'reason', why)
  redis.call('ZADD', UNDONE(), now, id)
  redis.call('ZADD', TASKS(), now, id)
end
return { status, task, redis.call('SMEMBERS', TASK_PARTITIONS(id)), redis.call('ZSCORE', UNDONE(), id) and '1' or '', newest_event() }
