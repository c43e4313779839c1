-- Renews a node's lease. KEYS[1] is the hash of the nodes; times are by Redis' clock.
--
-- IN  connections, anonymous: the node's connections, and the anonymous ones among them; leaves: '1' when it leaves;
--     remembered: for how long dead nodes stay, milliseconds
-- OUT now, nodes: groups of node, state ('<seen> <connections> <anonymous> <retention>'); a node that left was seen at 0
--- @include "clock"
--- @include "text"
local node, connections, anonymous, leaves, remembered, retention = unpack(ARGV)
local seen = leaves == '1' and '0' or text(now)
redis.call('HSET', root, 'node:' .. node, seen .. ' ' .. connections .. ' ' .. anonymous .. ' ' .. retention)
local fields, nodes = redis.call('HGETALL', root), {}
for index = 1, #fields, 2 do
  local name = string.match(fields[index], '^node:(.*)')
  if name then
    local born = tonumber(string.match(name, '^%d+'))
    local last_seen = tonumber(string.match(fields[index + 1], '^%d+'))
    if math.max(last_seen, born) < now - remembered then
      redis.call('HDEL', root, fields[index])
    else
      nodes[#nodes + 1] = name
      nodes[#nodes + 1] = fields[index + 1]
    end
  end
end
return { text(now), nodes }
