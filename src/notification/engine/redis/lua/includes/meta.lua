-- HASH of the partition's state; stored names stay as they are, so that data outlives an upgrade:
--   order (of the newest change, microseconds), feed (order of the newest event), told (events up to here were emitted),
--   offset (of the clock against the server's, milliseconds), seen (the clock at the newest sweep),
--   tick, tick_run (the newest sweep of a serving node, and the server's run), running_since, unserved,
--   asked (when nodes were last asked how far they have read), epoch, run, floor, mark,
--   notices:<event> (until when webhook events of that name are stored)
--- @include "root"
local META = root .. ':meta'
