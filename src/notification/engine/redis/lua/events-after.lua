-- A page of the partition's events after an order, oldest first.
--
-- OUT groups of order, kind, payload (a record for 'decided', JSON for 'task', a user for 'revoked' and 'review')
--- @include "record"
--- @include "keys/events"
local order, limit = unpack(ARGV)
local found = {}
for _, entry in ipairs(redis.call('XRANGE', EVENTS, '(' .. order .. '-0', '+', 'COUNT', limit)) do
  local kind, subject = entry[2][1], entry[2][2]
  found[#found + 1] = string.match(entry[1], '^%d+')
  found[#found + 1] = kind
  if kind == 'decided' then found[#found + 1] = read_record(subject) or false else found[#found + 1] = subject end
end
return found
