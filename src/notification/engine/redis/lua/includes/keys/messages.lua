--- @include "root"
-- ZSETs of message ids by expiry: all; the unacknowledged ones
local KEPT, WAITING = root .. ':kept', root .. ':waiting'
-- HASH: user, message, expires, from (the sending node), order, acknowledged
local function MESSAGE(id) return root .. ':message:' .. id end
-- ZSET of unacknowledged message ids by order
local function WAITING_OF(user) return root .. ':waiting-of:' .. user end
