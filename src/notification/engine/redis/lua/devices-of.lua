-- The described connections of a user, oldest first.
--
-- OUT groups of member ('<node> <connection>'), device (JSON)
--- @include "keys/presence"
local user = unpack(ARGV)
local found = {}
for _, member in ipairs(redis.call('ZRANGE', CONNECTIONS(user), 0, -1)) do
  local device = redis.call('HGET', DEVICES(user), member)
  if device then
    found[#found + 1] = member
    found[#found + 1] = device
  end
end
return found
