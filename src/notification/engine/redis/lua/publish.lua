-- Publishes messages on channels, in order. Each is appended to its history and published in one step, so that both have the
-- same order.
--
-- IN  history_ttl, idle_ttl (how long an idle channel is kept), retention: milliseconds;
--     publications: place (which of KEYS is the root of the channel's partition; those of one partition follow each other),
--       head (JSON, the start of the list that travels before the message), tail (its end),
--       anonymous_too: '1' where anonymous connections see it
-- OUT for each publication: epoch?, offset?, watchers (groups of node, count), owner? (of the task)
--- @include "position"
--- @include "publish-to-channel"
--- @include "keys/tasks"
--- @include "keys/watchers"
local history_size, history_ttl, idle_ttl, retention = unpack(ARGV)
history_ttl = tonumber(history_ttl)

-- Of the partition. Reading it costs as much as publishing, so it is read once.
local epoch
local function enter(place)
  root, META = KEYS[place], KEYS[place + 1]
  read_clock()
  epoch = nil
end

local function next_offset(channel)
  local offset = redis.call('INCR', HEAD(channel))
  if offset > 1 then return text(offset) end
  offset = text(floor() + 1)
  redis.call('SET', HEAD(channel), offset)
  return offset
end

-- Times to live are a tenth longer than asked for, so that they need not be written with every publication.
local function append(channel, offset, message)
  local history, left = HISTORY(channel), 0
  if history_size ~= '0' then
    redis.call('XADD', history, 'MAXLEN', '=', history_size, offset .. '-0', 'at', text(now), 'message', message)
    left = redis.call('PTTL', history)
  end
  if left >= history_ttl then return end
  redis.call('PEXPIRE', history, text(history_ttl * 1.1))
  redis.call('ZADD', CHANNELS(), text(now + idle_ttl + history_ttl * 0.1), channel)
end

-- The user of a task. A message counts as a use of the task; as coarse as in claim.
local function owner_of(id)
  local task = redis.call('HMGET', TASK(id), 'user', 'cancelled')
  local last_use = task[1] and not task[2] and redis.call('ZSCORE', TASKS(), id)
  if last_use and tonumber(last_use) < now - retention / 10 then redis.call('ZADD', TASKS(), now, id) end
  return task[1]
end

local replies, entered = {}, '1'
for at = 5, #ARGV, 7 do
  local place, channel, message, recoverable, anonymous_too, head, tail = unpack(ARGV, at, at + 6)
  if place ~= entered then enter(tonumber(place)) end
  entered = place
  local offset, position_json = false, 'false,false'
  if recoverable == '1' then
    epoch = epoch or partition_epoch()
    offset = next_offset(channel)
    append(channel, offset, message)
    position_json = '"' .. epoch .. '","' .. offset .. '"'
  end
  local owner = string.sub(channel, 1, 5) == 'task:' and owner_of(string.sub(channel, 6))
  local owner_json = owner and cjson.encode(owner) or 'false'
  publish_to_channel(channel, head .. position_json .. ',' .. owner_json .. tail .. '\n' .. message, anonymous_too == '1')
  replies[#replies + 1] = { offset and epoch, offset, redis.call('HGETALL', WATCHERS(channel)), owner }
end
return replies
