-- Leaves the mark of a task's cancellation in this partition and cancels the task's confirmations that are older, at most
-- 200 at a time.
--
-- IN  version: of the cancelled task; mark_ttl: milliseconds; arrived: when the request reached the node, '' for now
-- OUT more ('1' while there may be more), newest_event
--- @include "meet-deadline"
--- @include "newest-event"
--- @include "optional"
--- @include "set-if-given"
--- @include "keys/cancelled-tasks"
local task, version, cancelled_by, reason, mark_ttl, cancelled_via, arrived = unpack(ARGV)
local by, why, via = optional(cancelled_by), optional(reason), optional(cancelled_via)
local mark = redis.call('HGET', CANCELLED(task), 'version')
if not mark or tonumber(mark) < tonumber(version) then
  redis.call('DEL', CANCELLED(task))
  redis.call('HSET', CANCELLED(task), 'version', version)
  set_if_given(CANCELLED(task), 'by', by)
  set_if_given(CANCELLED(task), 'reason', why)
  set_if_given(CANCELLED(task), 'via', via)
  redis.call('PEXPIRE', CANCELLED(task), mark_ttl)
end
local decided = 0
for _, id in ipairs(redis.call('ZRANGE', OF_TASK_PENDING(task), 0, -1)) do
  local record = read_record(id)
  -- One that was opened after the task was resumed stays.
  local is_older = record and tonumber(record[I.task_version]) < tonumber(version)
  -- A late cancellation does not wait for a deadline that cannot be applied yet: it is no proceed anyway.
  if is_older and (meet_deadline(record, tonumber(arrived)) or record)[I.state] == 'pending' then
    decide_record(record, { outcome = 'cancelled', proceed = '0', answered_by = by, reason = why, via = via })
    decided = decided + 1
    if decided == 200 then return { '1', newest_event() } end
  end
end
return { '', newest_event() }
