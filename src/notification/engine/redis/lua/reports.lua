-- What nodes say of themselves.
--
-- IN  nodes: JSON list of ids, not empty
-- OUT a report for each; none for a node that has stopped to report
--- @include "root"
local nodes = unpack(ARGV)
local keys = cjson.decode(nodes)
for index, node in ipairs(keys) do keys[index] = root .. ':report:' .. node end
return redis.call('MGET', unpack(keys))
