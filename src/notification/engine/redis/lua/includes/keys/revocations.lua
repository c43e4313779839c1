--- @include "root"
-- STRING: when the user was revoked, milliseconds
local function REVOKED(user) return root .. ':revoked:' .. user end
