--- @include "root"
-- ZSET of '<node> <connection>' by order
local function CONNECTIONS(user) return root .. ':connections:' .. user end
-- HASH: '<node> <connection>' -> JSON of the device
local function DEVICES(user) return root .. ':devices:' .. user end
