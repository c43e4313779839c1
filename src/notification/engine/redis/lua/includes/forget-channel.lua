-- A later channel of the same name goes on above the floor: no offset is given twice within an epoch.
--- @include "meta"
--- @include "text"
--- @include "keys/channels"
local function forget_channel(channel)
  local head = tonumber(redis.call('GET', HEAD(channel)) or '0')
  if head > tonumber(redis.call('HGET', META, 'floor') or '0') then redis.call('HSET', META, 'floor', text(head)) end
  redis.call('DEL', HEAD(channel), HISTORY(channel))
  redis.call('ZREM', CHANNELS(), channel)
end
