-- The partition's clock: Redis' own, less the jumps that the sweep has taken back. It never goes back.
--- @include "meta"
local time = redis.call('TIME')
local newest_order, clock_offset, micros, now
local function read_clock()
  local clock = redis.call('HMGET', META, 'order', 'offset', 'seen')
  newest_order = tonumber(clock[1] or '0')
  clock_offset = tonumber(clock[2] or '0')
  micros = math.max(time[1] * 1000000 + time[2] + clock_offset * 1000, tonumber(clock[3] or '0') * 1000)
  now = math.floor(micros / 1000)
end
read_clock()
