-- When a user was revoked.
--
-- OUT the moment?
--- @include "keys/revocations"
local user = unpack(ARGV)
return redis.call('GET', REVOKED(user))
