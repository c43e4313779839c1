-- A confirmation as it is stored and as it travels: its fields in this order, false where a field is unset. Times are
-- milliseconds, orders microseconds. RECORD_FIELDS in reply-decoder.ts is the same list.
--- @include "keys/confirmations"
local FIELDS = { 'id', 'user', 'task', 'step', 'prompt', 'created', 'expires', 'on_timeout', 'on_timeout_by', 'state', 'order',
  'decided', 'proceed', 'feedback', 'choice', 'values', 'answered_by', 'reason', 'fingerprint', 'task_version', 'via',
  'edited', 'seen', 'dismissed_until', 'applied_by' }
local I = { id = 1, user = 2, task = 3, step = 4, prompt = 5, created = 6, expires = 7, on_timeout = 8, on_timeout_by = 9,
  state = 10, order = 11, decided = 12, proceed = 13, feedback = 14, choice = 15, values = 16, answered_by = 17, reason = 18,
  fingerprint = 19, task_version = 20, via = 21, edited = 22, seen = 23, dismissed_until = 24, applied_by = 25 }

local function read_record(id)
  local record = redis.call('HMGET', CONFIRMATION(id), unpack(FIELDS))
  if record[I.id] then return record end
end
