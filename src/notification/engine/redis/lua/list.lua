-- Reads a page of a list of confirmations, oldest or newest first. It reads a bounded number of them, ends the page once their prompts
-- have `page_bytes`, and says where to go on.
--
-- IN  list: 'all', 'user' or 'task'; subject: the user or the task; from, to: an interval of orders, in the list's direction
-- OUT records, next_from? (where to go on), newest_event
--- @include "apply-deadline"
--- @include "newest-event"
--- @include "optional"
--- @include "is-in-scope"
local list, subject, pending_only, newest_first, from, to, limit, page_bytes, task, state, scope = unpack(ARGV)
limit, page_bytes, task, state = tonumber(limit), tonumber(page_bytes), optional(task), optional(state)
local every = { all = ALL, user = OF_USER(subject), task = OF_TASK(subject) }
local pending = { all = PENDING, user = OF_USER_PENDING(subject), task = OF_TASK_PENDING(subject) }
local key = (pending_only == '1' and pending or every)[list]
local command = newest_first == '1' and 'ZREVRANGEBYSCORE' or 'ZRANGEBYSCORE'
local records, bytes = {}, 0
for _ = 1, 10 do
  local ids = redis.call(command, key, from, to, 'WITHSCORES', 'LIMIT', 0, 100)
  for index = 1, #ids, 2 do
    local record = read_record(ids[index])
    from = '(' .. text(tonumber(ids[index + 1]))
    if record then
      apply_deadline(record)
      local matches = (not task or record[I.task] == task) and (not state or record[I.state] == state)
      if matches and is_in_scope(scope, record[I.user]) then
        records[#records + 1] = record
        bytes = bytes + #record[I.prompt]
        if #records == limit or bytes >= page_bytes then
          local more = redis.call(command, key, from, to, 'LIMIT', 0, 1)
          return { records, #more > 0 and from, newest_event() }
        end
      end
    end
  end
  if #ids < 200 then return { records, false, newest_event() } end
end
return { records, from, newest_event() }
