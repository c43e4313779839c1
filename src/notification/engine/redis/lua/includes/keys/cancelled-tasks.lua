--- @include "root"
-- HASH: the newest cancellation of a task that lives in another partition, for confirmations that are on their way
local function CANCELLED(task) return root .. ':cancelled:' .. task end
