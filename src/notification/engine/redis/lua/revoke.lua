-- Revokes a user. The stream, which every node follows, carries it.
--
-- OUT revoked_at, newest_event
--- @include "append-event"
--- @include "keys/revocations"
local user = unpack(ARGV)
redis.call('SET', REVOKED(user), text(now))
return { text(now), append_event('revoked', user, user) }
