-- The place of a change among all changes of the partition.
--- @include "clock"
--- @include "text"
local function next_order()
  newest_order = math.max(micros, newest_order + 1)
  redis.call('HSET', META, 'order', text(newest_order))
  return text(newest_order)
end
