--- @include "root"
-- STRING: the newest offset; STREAM whose ids are offsets
local function HEAD(channel) return root .. ':head:' .. channel end
local function HISTORY(channel) return root .. ':history:' .. channel end
-- ZSET of channels that have them, by the moment at which they are forgotten
local function CHANNELS() return root .. ':channels' end
