-- The order of the partition's newest event.
--- @include "meta"
local function newest_event() return redis.call('HGET', META, 'feed') or '0' end
