--- @include "root"
-- ZSETs of task ids: by last use; cancelled, but not yet in all partitions
local function TASKS() return root .. ':tasks' end
local function UNDONE() return root .. ':undone' end
-- HASH: see includes/task-record
local function TASK(task) return root .. ':task:' .. task end
-- SET: the partitions in which a task has had confirmations
local function TASK_PARTITIONS(task) return root .. ':task-parts:' .. task end
