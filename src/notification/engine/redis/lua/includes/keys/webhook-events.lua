--- @include "root"
-- ZSETs of webhook event ids: by the moment from which they can be claimed; by the moment at which they happened
local CLAIMABLE, STORED = root .. ':notices', root .. ':noted'
-- HASH: kind, subject (a callback id, or JSON of a task event), event, at, attempt
local function WEBHOOK_EVENT(id) return root .. ':notice:' .. id end
