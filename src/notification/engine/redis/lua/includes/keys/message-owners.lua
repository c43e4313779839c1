--- @include "root"
-- STRING: the user of a message, in the partition of its id
local function MESSAGE_OWNER(id) return root .. ':owner:' .. id end
