-- Opens a confirmation in the user's partition, or finds the one that its id or its key names.
--
-- IN  timeout: milliseconds, '' for none; task_version, cancelled, …: the task as the caller read it;
--     max_pending: how many pending confirmations the user may have, '' for any number
-- OUT status ('created', 'exists', 'conflict' or 'crowded'), record?, newest_event?
--- @include "apply-deadline"
--- @include "newest-event"
--- @include "optional"
--- @include "keys/cancelled-tasks"
local id, user, task, step, prompt, timeout, on_timeout, on_timeout_by, key, fingerprint, task_version,
  cancelled, cancelled_by, reason, cancelled_via, max_pending = unpack(ARGV)
timeout, key, fingerprint = tonumber(timeout), optional(key), optional(fingerprint)

local existing = read_record(id)
if not existing and key then
  local other = redis.call('GET', KEY(user, key))
  existing = other and read_record(other)
  if existing and existing[I.fingerprint] ~= fingerprint then return { 'conflict' } end
end
if existing then
  apply_deadline(existing)
  return { 'exists', existing, newest_event() }
end
if max_pending ~= '' and redis.call('ZCARD', OF_USER_PENDING(user)) >= tonumber(max_pending) then return { 'crowded' } end

local order = next_order()
local expires = timeout and text(now + timeout) or false
local record = { id, user, task, step, prompt, text(now), expires, on_timeout, on_timeout_by, 'pending', order,
  false, false, false, false, false, false, false, fingerprint, task_version, false }
local written = {}
for index, field in ipairs(FIELDS) do
  if record[index] then
    written[#written + 1] = field
    written[#written + 1] = record[index]
  end
end
redis.call('HSET', CONFIRMATION(id), unpack(written))
if key then
  redis.call('SET', KEY(user, key), id)
  redis.call('HSET', CONFIRMATION(id), 'key', key)
end
for _, list in ipairs({ ALL, PENDING, OF_USER(user), OF_USER_PENDING(user), OF_TASK(task), OF_TASK_PENDING(task) }) do
  redis.call('ZADD', list, order, id)
end

-- A cancellation that came after the caller read the task has left its mark here.
local mark = redis.call('HMGET', CANCELLED(task), 'version', 'by', 'reason', 'via')
local is_cancelled, by, why, via = cancelled == '1', optional(cancelled_by), optional(reason), optional(cancelled_via)
if mark[1] and tonumber(mark[1]) > tonumber(task_version) then is_cancelled, by, why, via = true, mark[2], mark[3], mark[4] end
if is_cancelled then
  decide_record(record, { outcome = 'cancelled', proceed = '0', answered_by = by, reason = why, via = via })
else
  if timeout then
    redis.call('ZADD', DUE, expires, id)
    redis.call('ZADD', EXPIRING, text(now + math.floor(timeout * 0.8)), id)
  end
  store_webhook_event('opened-' .. id, 'confirmation', id, 'confirmation.opened')
  local message = cjson.encode({ 'opened', record })
  redis.call('SPUBLISH', TO_CHANNEL('user:' .. user), message)
  redis.call('SPUBLISH', TO_FIREHOSE(), message)
end
return { 'created', record, newest_event() }
