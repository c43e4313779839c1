-- Positions of channels.
--  1. The epoch of the partition is bound to one run of one Redis server. After a restart or a fail-over it is another, so
--     that a position from before, whose later part may be lost, never counts as good.
--  2. Reading a position creates nothing. A channel without publications stands at the partition's floor, the highest offset
--     of all forgotten channels. So the offsets of a channel only grow within an epoch.
--- @include "next-order"
--- @include "server-run"
--- @include "keys/channels"
local function partition_epoch()
  local known = redis.call('HMGET', META, 'epoch', 'run')
  if known[1] and known[2] == server_run() then return known[1] end
  local epoch = string.sub(server_run(), 1, 8) .. '.' .. next_order()
  redis.call('HSET', META, 'epoch', epoch, 'run', server_run())
  return epoch
end

local function floor() return tonumber(redis.call('HGET', META, 'floor') or '0') end

-- Epoch and offset of the channel's newest publication.
local function position(channel)
  return partition_epoch(), tonumber(redis.call('GET', HEAD(channel))) or floor()
end
