/**
 * Tasks. The cancellation of a task is decided here, in the task's partition; its prompts, which are in their users'
 * partitions, follow (see cancel-prompts). A task that still has partitions to follow stands in UNDONE until they have.
 *
 * A task's version is the order of its newest change: its first claim, a cancellation, a resumption. A cancellation counts for
 * prompts of an older version only, so that nothing of a forgotten task reaches a later one of the same name.
 */
import { CONFIRMATION_STEPS } from './confirmation.js';
import { script } from './script.js';

const STEPS = `${CONFIRMATION_STEPS}
-- a task record: id, user, cancelled, by, reason, version, via
local function task_record(id)
  local task = redis.call('HMGET', TASK(id), 'id', 'user', 'cancelled', 'by', 'reason', 'version', 'via')
  task[6] = task[6] or '0'
  return task
end
local function used(id) redis.call('ZADD', TASKS, now, id) end
-- to the nodes, and to the webhook
local function tell(task, named)
  local at = event('task', cjson.encode({ task, named }), { task, named })
  note('task-' .. redis.sha1hex(root .. ':' .. task[1]) .. '-' .. at, 'task', cjson.encode({ task, named }),
    task[3] and 'task.cancelled' or 'task.resumed')
  return at
end
`;

/**
 * IN  task, user, partition in which a prompt of it will be ('' for none), retention
 * OUT task record
 */
export const CLAIM = script(
  'claim',
  'adds',
  STEPS,
  `
local id = ARGV[1]
local task = task_record(id)
if not task[1] then
  task[6] = order()
  redis.call('HSET', TASK(id), 'version', task[6])
end
if not task[2] then
  redis.call('HSET', TASK(id), 'id', id, 'user', ARGV[2])
  task[1], task[2] = id, ARGV[2]
  if not task[3] then used(id) end
elseif not task[3] then
  -- coarse, so that a busy task is not written with every prompt; a cancellation counts from when it was made
  local last = tonumber(redis.call('ZSCORE', TASKS, id) or '0')
  if last < now - ARGV[4] / 10 then used(id) end
end
if ARGV[3] ~= '' then redis.call('SADD', TASK_PARTS(id), ARGV[3]) end
return task
`,
);

/** IN task; OUT task record */
export const GET_TASK = script('get-task', 'reads', STEPS, 'return task_record(ARGV[1])');

/**
 * IN  task, scope, cancelled_by?, reason?, named user?, '1' where an unknown task may be cancelled, via
 * OUT {'cancelled' | 'already_cancelled', task record, its partitions, '1' while they have not all followed, feed order}
 *     or {'not_found'}
 */
export const CANCEL = script(
  'cancel',
  'settles',
  STEPS,
  `
local id = ARGV[1]
local task = task_record(id)
local allowed
if task[2] then allowed = within(ARGV[2], task[2]) else allowed = ARGV[6] == '1' end
if not allowed then return { 'not_found' } end
local status = 'already_cancelled'
if not task[3] then
  status = 'cancelled'
  local by, reason = optional(ARGV[3]), optional(ARGV[4])
  task[1], task[3], task[4], task[5] = id, text(now), by, reason
  task[7] = ARGV[7]
  local at = tell(task, (not task[2]) and optional(ARGV[5]))
  task[6] = at
  redis.call('HSET', TASK(id), 'id', id, 'cancelled', text(now), 'version', at)
  put(TASK(id), 'by', by)
  put(TASK(id), 'reason', reason)
  redis.call('HSET', TASK(id), 'via', ARGV[7])
  redis.call('ZADD', UNDONE, now, id)
  used(id)
end
return { status, task, redis.call('SMEMBERS', TASK_PARTS(id)), redis.call('ZSCORE', UNDONE, id) and '1' or '', fed() }
`,
);

/** All partitions have followed. IN task, version; OUT nothing */
export const CANCEL_DONE = script(
  'cancel-done',
  'notes',
  STEPS,
  `
if task_record(ARGV[1])[6] == ARGV[2] then redis.call('ZREM', UNDONE, ARGV[1]) end
return 1
`,
);

/**
 * A cancellation that was emitted is carried out before the task is resumed: while it is in UNDONE nothing changes.
 * IN  task
 * OUT {'resumed' | 'not_cancelled' | 'undone', task record, feed order, its partitions}
 */
export const RESUME = script(
  'resume',
  'settles',
  STEPS,
  `
local id = ARGV[1]
local task = task_record(id)
local status = 'not_cancelled'
if redis.call('ZSCORE', UNDONE, id) then
  status = 'undone'
elseif task[3] then
  status = 'resumed'
  redis.call('HDEL', TASK(id), 'cancelled', 'by', 'reason', 'via')
  task[3], task[4], task[5], task[7] = false, false, false, false
  task[6] = tell(task, false)
  redis.call('HSET', TASK(id), 'version', task[6])
  used(id)
end
return { status, task, fed(), redis.call('SMEMBERS', TASK_PARTS(id)) }
`,
);

/** IN task; OUT number of its prompts that are pending in this partition */
export const IS_BUSY = script('is-busy', 'reads', `return redis.call('ZCARD', OF_TASK_PENDING(ARGV[1]))`);

/**
 * Forgets a task, unless it was used meanwhile; or notes that it is still in use.
 * IN  task, last use as the caller saw it, '1' when it has pending prompts
 */
export const FORGET_TASK = script(
  'forget-task',
  'notes',
  `
if redis.call('ZSCORE', TASKS, ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] == '1' then
  redis.call('ZADD', TASKS, now, ARGV[1])
else
  -- with its channel: whoever uses the name next is another user, perhaps
  forget_channel('task:' .. ARGV[1])
  redis.call('DEL', TASK(ARGV[1]), TASK_PARTS(ARGV[1]))
  redis.call('ZREM', TASKS, ARGV[1])
  redis.call('ZREM', UNDONE, ARGV[1])
end
return 1
`,
);

/** The partitions of a task. IN task; OUT partitions */
export const TASK_PARTITIONS = script('task-partitions', 'reads', `return redis.call('SMEMBERS', TASK_PARTS(ARGV[1]))`);
