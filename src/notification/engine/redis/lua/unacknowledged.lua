-- A page of the messages of a user that nobody has acknowledged, oldest first. It ends once they have `page_bytes`.
--
-- IN  from: the start of an interval of orders
-- OUT messages (groups of id, message, expires), next_from? (where to go on)
--- @include "clock"
--- @include "text"
--- @include "keys/messages"
local user, from, limit, page_bytes = unpack(ARGV)
limit, page_bytes = tonumber(limit), tonumber(page_bytes)
local found, bytes = {}, 0
local ids = redis.call('ZRANGEBYSCORE', WAITING_OF(user), from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
for index = 1, #ids, 2 do
  if index > limit * 2 or bytes >= page_bytes then return { found, from } end
  local kept = redis.call('HMGET', MESSAGE(ids[index]), 'message', 'expires')
  from = '(' .. text(tonumber(ids[index + 1]))
  if kept[1] and tonumber(kept[2]) > now then
    bytes = bytes + #kept[1]
    for _, value in ipairs({ ids[index], kept[1], kept[2] }) do found[#found + 1] = value end
  end
end
return { found, false }
