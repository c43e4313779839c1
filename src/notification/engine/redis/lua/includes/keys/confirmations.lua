--- @include "root"
-- ZSETs of callback ids: by order; by order while pending; by deadline; by the moment of the warning; by decision time
local ALL, PENDING = root .. ':all', root .. ':pending'
local DUE, EXPIRING, DECIDED = root .. ':due', root .. ':expiring', root .. ':decided'
-- HASH: see includes/record
local function CONFIRMATION(id) return root .. ':confirmation:' .. id end
-- STRING: the callback id that a user's key names
local function KEY(user, key) return root .. ':key:' .. #user .. ':' .. user .. ':' .. key end
-- ZSETs of callback ids by order
local function OF_USER(user) return root .. ':of-user:' .. user end
local function OF_USER_PENDING(user) return root .. ':of-user-pending:' .. user end
local function OF_TASK(task) return root .. ':of-task:' .. task end
local function OF_TASK_PENDING(task) return root .. ':of-task-pending:' .. task end
