--- @include "root"
-- ZSET of '<node> <connection>' by order
local function CONNECTIONS(user) return root .. ':connections:' .. user end
-- How many connections of a user have ended lately and have not been replaced, how many have been replaced lately
local function ENDED(user) return root .. ':ended:' .. user end
local function RECONNECTS(user) return root .. ':reconnects:' .. user end
-- HASH: '<node> <connection>' -> JSON of the device
local function DEVICES(user) return root .. ':devices:' .. user end
