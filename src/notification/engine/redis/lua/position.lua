-- The position of a channel.
--
-- OUT epoch, offset
--- @include "position"
local channel = unpack(ARGV)
local epoch, offset = position(channel)
return { epoch, text(offset) }
