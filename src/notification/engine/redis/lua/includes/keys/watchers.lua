--- @include "root"
-- HASH: node -> number of its connections that watch the channel
local function WATCHERS(channel) return root .. ':watchers:' .. channel end
