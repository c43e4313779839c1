-- A page of the messages of a user that nobody has acknowledged, oldest first.
--
-- IN  from: the start of an interval of orders
-- OUT messages (groups of id, message, expires), next_from? (where to go on)
--- @include "clock"
--- @include "text"
--- @include "keys/messages"
local user, from, limit = unpack(ARGV)
limit = tonumber(limit)
local found = {}
local ids = redis.call('ZRANGEBYSCORE', WAITING_OF(user), from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
for index = 1, math.min(#ids, limit * 2), 2 do
  local kept = redis.call('HMGET', MESSAGE(ids[index]), 'message', 'expires')
  from = '(' .. text(tonumber(ids[index + 1]))
  if kept[1] and tonumber(kept[2]) > now then
    for _, value in ipairs({ ids[index], kept[1], kept[2] }) do found[#found + 1] = value end
  end
end
return { found, #ids > limit * 2 and from }
