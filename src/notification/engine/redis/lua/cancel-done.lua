-- All partitions have followed a task's cancellation.
--
-- IN  version: of the cancelled task
--- @include "task-record"
local id, version = unpack(ARGV)
if read_task(id)[T.version] == version then redis.call('ZREM', UNDONE(), id) end
return 1
