-- The rule of engine/deadlines.ts. Every script that touches a pending confirmation goes through it.
--- @include "decide-record"
--- @include "running-since"
--- @include "reading-marks"

-- A default of proceed that only a setting gave does not count for a deadline that was missed.
local function proceeds(record, expires)
  if record[I.on_timeout] ~= 'proceed' then return '0' end
  local in_time = now - expires <= IN_TIME_MS and expires > running_since()
  return (record[I.on_timeout_by] == 'caller' or in_time) and '1' or '0'
end

-- Decides a record whose deadline has passed and may be applied. Returns the record. `applied_by` is the node that swept last: it
-- runs, and alone writes the decision into the audit trail.
local function apply_deadline(record)
  local expires = tonumber(record[I.expires] or '')
  if record[I.state] ~= 'pending' or not expires or expires > now or expires > read_until() then return record end
  decide_record(record, { outcome = 'timed_out', proceed = proceeds(record, expires), via = 'clock',
    applied_by = redis.call('HGET', META, 'sweeper') })
  return record
end
