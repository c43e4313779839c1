-- Reads a confirmation, after its deadline if that may be applied.
--
-- OUT record?, newest_event
--- @include "apply-deadline"
--- @include "newest-event"
local id = unpack(ARGV)
local record = read_record(id)
return { record and apply_deadline(record) or false, newest_event() }
