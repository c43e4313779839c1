-- Publishes a message on a channel. The history is appended and published in one step, so that both have the same order.
--
-- IN  uid: of the publication; history_ttl, idle_ttl (how long an idle channel is kept), retention: milliseconds;
--     anonymous_too: '1' where anonymous connections see it
-- OUT epoch?, offset?, watchers (groups of node, count), owner? (of the task)
--- @include "position"
--- @include "optional"
--- @include "publish-to-channel"
--- @include "keys/tasks"
--- @include "keys/watchers"
local channel, message, uid, recoverable, history_size, history_ttl, idle_ttl, anonymous_too, retention, conflation_key = unpack(ARGV)
local epoch, offset = false, false
if recoverable == '1' then
  epoch, offset = position(channel)
  offset = offset + 1
  redis.call('SET', HEAD(channel), text(offset))
  redis.call('ZADD', CHANNELS, text(now + idle_ttl), channel)
  if history_size ~= '0' then
    redis.call('XADD', HISTORY(channel), 'MAXLEN', '=', history_size, text(offset) .. '-0', 'at', text(now), 'message', message)
    redis.call('PEXPIRE', HISTORY(channel), history_ttl)
  end
end
local owner = false
if string.sub(channel, 1, 5) == 'task:' then
  local id = string.sub(channel, 6)
  local task = redis.call('HMGET', TASK(id), 'user', 'cancelled')
  owner = task[1]
  -- A message counts as a use of the task; as coarse as in claim.
  local last_use = owner and not task[2] and redis.call('ZSCORE', TASKS, id)
  if last_use and tonumber(last_use) < now - retention / 10 then redis.call('ZADD', TASKS, now, id) end
end
local head = cjson.encode({ 'publication', uid, channel, epoch, offset and text(offset), owner, optional(conflation_key) })
publish_to_channel(channel, head .. '\n' .. message, anonymous_too == '1')
return { epoch, offset and text(offset), redis.call('HGETALL', WATCHERS(channel)), owner }
