-- Acknowledges a message.
--
-- OUT status ('acknowledged', 'repeated' or 'not_found'), user?
--- @include "clock"
--- @include "text"
--- @include "is-in-scope"
--- @include "publish-to-channel"
--- @include "keys/messages"
--- @include "keys/pubsub-node"
local id, scope = unpack(ARGV)
local kept = redis.call('HMGET', MESSAGE(id), 'user', 'expires', 'acknowledged', 'from')
local user, expires, acknowledged, sender = kept[1], kept[2], kept[3], kept[4]
if not user or tonumber(expires) <= now or not is_in_scope(scope, user) then return { 'not_found', false } end
if acknowledged then return { 'repeated', user } end
redis.call('HSET', MESSAGE(id), 'acknowledged', text(now))
redis.call('ZREM', WAITING, id)
redis.call('ZREM', WAITING_OF(user), id)
local message = cjson.encode({ 'acknowledged', id, user })
publish_to_channel('user:' .. user, message, true)
redis.call('SPUBLISH', TO_NODE(sender), message)
return { 'acknowledged', user }
