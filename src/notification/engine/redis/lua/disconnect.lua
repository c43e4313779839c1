-- Takes connections off their user's list.
--
-- IN  evict: '1' to have their nodes close them; reconnect_within: for how long a new connection replaces one of them, milliseconds;
--     members: JSON list of '<node> <connection>'
--- @include "keys/presence"
--- @include "keys/pubsub-node"
local user, evict, reconnect_within, members = unpack(ARGV)
for _, member in ipairs(cjson.decode(members)) do
  if redis.call('ZREM', CONNECTIONS(user), member) == 1 and evict ~= '1' then
    redis.call('INCR', ENDED(user))
    redis.call('PEXPIRE', ENDED(user), reconnect_within)
  end
  redis.call('HDEL', DEVICES(user), member)
  if evict == '1' then
    local node, connection = string.match(member, '^(%S+) (.*)$')
    redis.call('SPUBLISH', TO_NODE(node), cjson.encode({ 'evicted', connection }))
  end
end
return 1
