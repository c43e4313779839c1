-- The callback ids of a user's pending confirmations, oldest first.
--
-- OUT a list of ids
--- @include "keys/confirmations"
--- @include "reading-marks"
local user = unpack(ARGV)
local ids, pending = redis.call('ZRANGE', OF_USER_PENDING(user), 0, -1), {}
for _, id in ipairs(ids) do
  local due = redis.call('ZSCORE', DUE, id)
  if not due or tonumber(due) > now or tonumber(due) > read_until() then pending[#pending + 1] = id end
end
return pending
