-- Keeps a message until it is acknowledged or expires, and delivers it.
--
-- IN  message: JSON; ttl: milliseconds; node: the sender
-- OUT created, watchers (groups of node, count), expires?
--- @include "next-order"
--- @include "publish-to-channel"
--- @include "keys/messages"
--- @include "keys/watchers"
local id, user, message, ttl, node = unpack(ARGV)
if redis.call('EXISTS', MESSAGE(id)) == 1 then return { '', {}, false } end
local order, expires = next_order(), text(now + tonumber(ttl))
redis.call('HSET', MESSAGE(id), 'user', user, 'message', message, 'expires', expires, 'from', node, 'order', order)
redis.call('ZADD', KEPT, expires, id)
redis.call('ZADD', WAITING, expires, id)
redis.call('ZADD', WAITING_OF(user), order, id)
local head = cjson.encode({ 'message', id, user, expires })
publish_to_channel('user:' .. user, string.sub(head, 1, -2) .. ',' .. message .. ']', true)
return { '1', redis.call('HGETALL', WATCHERS('user:' .. user)), expires }
