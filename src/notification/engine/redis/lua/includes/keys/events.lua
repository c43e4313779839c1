--- @include "root"
-- STREAM of decisions, task events and revocations; the id of an entry is its order
local EVENTS = root .. ':events'
