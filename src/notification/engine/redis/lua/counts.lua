-- What waits in the partition.
--
-- IN  ages: JSON list of milliseconds
-- OUT pending_confirmations, unacknowledged_messages, younger (pending confirmations that are younger than each age)
--- @include "clock"
--- @include "text"
--- @include "keys/confirmations"
--- @include "keys/messages"
local ages = unpack(ARGV)
local younger = {}
for index, age in ipairs(cjson.decode(ages)) do
  younger[index] = redis.call('ZCOUNT', PENDING, '(' .. text((now - age) * 1000), '+inf')
end
return { redis.call('ZCARD', PENDING), redis.call('ZCOUNT', WAITING, '(' .. text(now), '+inf'), younger }
