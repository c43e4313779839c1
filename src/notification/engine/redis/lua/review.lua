-- Has every node ask for a user's rights again.
--
-- OUT the order of the event
--- @include "append-event"
local user = unpack(ARGV)
return append_event('review', user, user)
