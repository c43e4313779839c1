-- Takes connections off their user's list.
--
-- IN  evict: '1' to have their nodes close them; members: JSON list of '<node> <connection>'
--- @include "keys/presence"
--- @include "keys/pubsub-node"
local user, evict, members = unpack(ARGV)
for _, member in ipairs(cjson.decode(members)) do
  redis.call('ZREM', CONNECTIONS(user), member)
  redis.call('HDEL', DEVICES(user), member)
  if evict == '1' then
    local node, connection = string.match(member, '^(%S+) (.*)$')
    redis.call('SPUBLISH', TO_NODE(node), cjson.encode({ 'evicted', connection }))
  end
end
return 1
