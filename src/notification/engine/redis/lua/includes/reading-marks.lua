-- The reading marks of the nodes for which a deadline waits. With every sweep a node leaves in READINGS how far it has read its
-- sockets, by the partition's clock. It is waited for until it has been silent for its lease. A node without a subscription,
-- like one whose process has ended, is waited for until it has missed a sweep.
--- @include "clock"
--- @include "deadline-limits"
--- @include "keys/readings"
--- @include "keys/pubsub-node"
local marks
local function reading_marks()
  if marks then return marks end
  marks = {}
  local all = redis.call('HGETALL', READINGS)
  for index = 1, #all, 2 do
    local mark, said = string.match(all[index + 1], '^(%S+) (%S+)')
    local silent = now - tonumber(said)
    if silent < SWEEPING_MS or (silent < READING_LEASE_MS and redis.call('PUBSUB', 'SHARDNUMSUB', TO_NODE(all[index]))[2] > 0) then
      marks[all[index]] = tonumber(mark)
    end
  end
  return marks
end

-- The moment up to which every such node has read its sockets.
local function read_until()
  local least = now
  for _, mark in pairs(reading_marks()) do least = math.min(least, mark) end
  return least
end
