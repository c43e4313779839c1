-- Reads a task.
--
-- OUT the task
--- @include "task-record"
local id = unpack(ARGV)
return read_task(id)
