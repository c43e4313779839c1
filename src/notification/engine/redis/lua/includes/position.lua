-- Positions of channels.
--  1. The epoch of the partition is bound to one run of one Redis server. After a restart or a fail-over it is another, so
--     that a position from before, whose later part may be lost, never counts as good. The run is read again after 25 ms, which
--     is shorter than any restart.
--  2. Reading a position creates nothing. A channel without publications stands at the partition's floor, the highest offset
--     of all forgotten channels. So the offsets of a channel only grow within an epoch.
--- @include "next-order"
--- @include "server-run"
--- @include "keys/channels"
local function partition_epoch()
  local known = redis.call('HMGET', META, 'epoch', 'run', 'run_at')
  if known[1] and now - tonumber(known[3]) < 25 then return known[1] end
  local run = server_run()
  if not known[1] or known[2] ~= run then
    known[1] = string.sub(run, 1, 8) .. '.' .. next_order()
    redis.call('HSET', META, 'epoch', known[1], 'run', run)
  end
  redis.call('HSET', META, 'run_at', text(now))
  return known[1]
end

-- Epoch and offset of the channel's newest publication.
local function position(channel)
  local head = redis.call('GET', HEAD(channel)) or redis.call('HGET', META, 'floor') or '0'
  return partition_epoch(), tonumber(head)
end
