/**
 * Prompts and decisions.
 *
 *  1. Whatever touches a pending prompt asks the rule first (`deadlines.ts`): a deadline that may be applied is applied (E2).
 *  2. `settle` is the only way out of `pending`; it writes the decision, takes the prompt off every list, appends the
 *     event to the stream and wakes the nodes, all in the step of the script.
 */
import { DEADLINE_STEPS } from './deadlines.js';
import { script, type Kind } from './script.js';

/** In the order in which a record travels. Times are milliseconds, `order`s microseconds. */
export const FIELDS = [
  'id',
  'user',
  'task',
  'step',
  'prompt',
  'created',
  'expires',
  'on_timeout',
  'on_timeout_by',
  'state',
  'order',
  'decided',
  'proceed',
  'feedback',
  'choice',
  'values',
  'answered_by',
  'reason',
  'fingerprint',
  'task_version',
  'via',
] as const;

export const CONFIRMATION_STEPS = `
local FIELDS = { ${FIELDS.map((field) => `'${field}'`).join(', ')} }
local I = { ${FIELDS.map((field, index) => `${field} = ${index + 1}`).join(', ')} }

local function load(id)
  local record = redis.call('HMGET', CONFIRMATION(id), unpack(FIELDS))
  if record[I.id] then return record end
end

-- stores a webhook event where a node asks for it
local function note(id, kind, subject, name)
  if tonumber(redis.call('HGET', META, 'notices:' .. name) or '0') < now then return end
  id = string.gsub(id, '[^%w]', '-')
  redis.call('HSET', NOTICE(id), 'kind', kind, 'subject', subject, 'event', name, 'at', text(now))
  redis.call('ZADD', NOTICES, text(now), id)
  redis.call('ZADD', NOTED, text(now), id)
end

local function forget_notice(id)
  redis.call('ZREM', NOTICES, id)
  redis.call('ZREM', NOTED, id)
  return redis.call('DEL', NOTICE(id)) == 1
end

-- to the stream, which is the truth, and to whoever listens
local function event(kind, subject, payload)
  local at = order()
  local before = redis.call('HGET', META, 'feed') or '0'
  redis.call('XADD', EVENTS, at .. '-0', kind, subject)
  redis.call('HSET', META, 'feed', at)
  redis.call('SPUBLISH', TO_FEED, cjson.encode({ before, at, kind, payload }))
  return at
end

local function settle(record, decision)
  local id, user, task = record[I.id], record[I.user], record[I.task]
  record[I.state], record[I.decided], record[I.proceed] = decision.outcome, text(decision.at or now), decision.proceed
  for _, field in ipairs({ 'feedback', 'choice', 'values', 'answered_by', 'reason', 'via' }) do
    record[I[field]] = decision[field] or false
  end
  local written = {}
  for _, field in ipairs({ 'state', 'decided', 'proceed', 'feedback', 'choice', 'values', 'answered_by', 'reason', 'via' }) do
    if record[I[field]] then
      written[#written + 1] = field
      written[#written + 1] = record[I[field]]
    end
  end
  redis.call('HSET', CONFIRMATION(id), unpack(written))
  for _, list in ipairs({ PENDING, OF_USER_PENDING(user), OF_TASK_PENDING(task), DUE, EXPIRING }) do
    redis.call('ZREM', list, id)
  end
  redis.call('ZADD', DECIDED, now, id)
  note('decision-' .. id, 'confirmation', id, 'confirmation.' .. decision.outcome)
  return event('decided', id, record)
end

${DEADLINE_STEPS}
local function fed() return redis.call('HGET', META, 'feed') or '0' end
`;

const confirmationScript = (name: string, kind: Kind, body: string) => script(name, kind, CONFIRMATION_STEPS, body);

/**
 * IN  id, user, task, step, prompt, timeout?, on_timeout, on_timeout_by, key?, fingerprint?,
 *     version of the task as the caller saw it, cancelled ('1' or ''), cancelled_by?, reason?, cancelled_via?,
 *     how many pending ones the user may have ('' for any number)
 * OUT {'created' | 'exists', record, feed order}, {'conflict'} or {'crowded'}
 */
export const OPEN = confirmationScript(
  'open',
  'adds',
  `
local id, user, task = ARGV[1], ARGV[2], ARGV[3]
local timeout, key, fingerprint = optional(ARGV[6]), optional(ARGV[9]), optional(ARGV[10])
local existing = load(id)
if not existing and key then
  local other = redis.call('GET', KEY(user, key))
  existing = other and load(other)
  if existing and existing[I.fingerprint] ~= fingerprint then return { 'conflict' } end
end
if existing then
  current(existing)
  return { 'exists', existing, fed() }
end
if ARGV[16] ~= '' and redis.call('ZCARD', OF_USER_PENDING(user)) >= tonumber(ARGV[16]) then return { 'crowded' } end
local at = order()
local expires = timeout and text(now + tonumber(timeout))
local record = { id, user, task, ARGV[4], ARGV[5], text(now), expires, ARGV[7], ARGV[8], 'pending', at,
  false, false, false, false, false, false, false, fingerprint, ARGV[11], false }
local written = {}
for index, field in ipairs(FIELDS) do
  if record[index] then
    written[#written + 1] = field
    written[#written + 1] = record[index]
  end
end
redis.call('HSET', CONFIRMATION(id), unpack(written))
if key then
  redis.call('SET', KEY(user, key), id)
  redis.call('HSET', CONFIRMATION(id), 'key', key)
end
for _, list in ipairs({ ALL, PENDING, OF_USER(user), OF_USER_PENDING(user), OF_TASK(task), OF_TASK_PENDING(task) }) do
  redis.call('ZADD', list, at, id)
end
-- a cancellation that came after the caller's look has left its mark here
local mark = redis.call('HMGET', CANCELLED(task), 'version', 'by', 'reason', 'via')
local cancelled, by, reason, via = ARGV[12] == '1', optional(ARGV[13]), optional(ARGV[14]), optional(ARGV[15])
if mark[1] and tonumber(mark[1]) > tonumber(ARGV[11]) then cancelled, by, reason, via = true, mark[2], mark[3], mark[4] end
if cancelled then
  settle(record, { outcome = 'cancelled', proceed = '0', answered_by = by, reason = reason, via = via })
else
  if timeout then
    redis.call('ZADD', DUE, expires, id)
    redis.call('ZADD', EXPIRING, text(now + math.floor(tonumber(timeout) * 0.8)), id)
  end
  note('opened-' .. id, 'confirmation', id, 'confirmation.opened')
  local message = cjson.encode({ 'opened', record })
  redis.call('SPUBLISH', TO_CHANNEL('user:' .. user), message)
  redis.call('SPUBLISH', TO_FIREHOSE, message)
end
return { 'created', record, fed() }
`,
);

/**
 * IN  id, scope, answered_by?, proceed, feedback?, choice?, values?, via, when it reached the node ('' for now)
 * OUT {'accepted' | 'repeated' | 'already_resolved', record, feed order}, {'not_found'}, or {'waits', deadline} for what came
 *     after a deadline that cannot be applied yet
 */
export const DECIDE = confirmationScript(
  'decide',
  'settles',
  `
local record = load(ARGV[1])
if not record or not within(ARGV[2], record[I.user]) then return { 'not_found' } end
local answer = { outcome = 'answered', answered_by = optional(ARGV[3]), proceed = ARGV[4],
  feedback = optional(ARGV[5]), choice = optional(ARGV[6]), values = optional(ARGV[7]), via = ARGV[8], at = timely(record) }
if not as_of(record, tonumber(ARGV[9])) then return { 'waits', record[I.expires] } end
if record[I.state] == 'pending' then
  settle(record, answer)
  return { 'accepted', record, fed() }
end
local same = record[I.state] == 'answered'
for _, field in ipairs({ 'answered_by', 'proceed', 'feedback', 'choice', 'values' }) do
  same = same and record[I[field]] == answer[field]
end
return { same and 'repeated' or 'already_resolved', record, fed() }
`,
);

/** IN id, scope, reason?, via, when it reached the node ('' for now); OUT as of decide */
export const WITHDRAW = confirmationScript(
  'withdraw',
  'settles',
  `
local record = load(ARGV[1])
if not record or not within(ARGV[2], record[I.user]) then return { 'not_found' } end
if not as_of(record, tonumber(ARGV[5])) then return { 'waits', record[I.expires] } end
if record[I.state] == 'pending' then
  settle(record, { outcome = 'withdrawn', proceed = '0', reason = optional(ARGV[3]), via = ARGV[4], at = timely(record) })
  return { 'accepted', record, fed() }
end
return { record[I.state] == 'withdrawn' and 'repeated' or 'already_resolved', record, fed() }
`,
);

/** IN id; OUT {record or nil, feed order} */
export const GET = confirmationScript(
  'get',
  'notes',
  `
local record = load(ARGV[1])
return { record and current(record) or false, fed() }
`,
);

/**
 * A page of a list, oldest first. Looks at a bounded number of prompts and says from where to go on.
 * IN  list ('all', 'user' or 'task'), subject, '1' for pending only, from (an interval's start), limit, task?, state?, scope
 * OUT {records, from where to go on or nil, feed order}
 */
export const LIST = confirmationScript(
  'list',
  'notes',
  `
local lists = { all = ALL, user = OF_USER(ARGV[2]), task = OF_TASK(ARGV[2]) }
local pending = { all = PENDING, user = OF_USER_PENDING(ARGV[2]), task = OF_TASK_PENDING(ARGV[2]) }
local list = (ARGV[3] == '1' and pending or lists)[ARGV[1]]
local limit, task, state = tonumber(ARGV[5]), optional(ARGV[6]), optional(ARGV[7])
local found, from = {}, ARGV[4]
for _ = 1, 10 do
  local ids = redis.call('ZRANGEBYSCORE', list, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 100)
  for index = 1, #ids, 2 do
    local record = load(ids[index])
    from = '(' .. text(tonumber(ids[index + 1]))
    if record then
      current(record)
      if (not task or record[I.task] == task) and (not state or record[I.state] == state) and within(ARGV[8], record[I.user]) then
        found[#found + 1] = record
        if #found == limit then return { found, from, fed() } end
      end
    end
  end
  if #ids < 200 then return { found, false, fed() } end
end
return { found, from, fed() }
`,
);

/** IN user; OUT ids of pending prompts, oldest first */
export const PENDING_IDS = confirmationScript(
  'pending-ids',
  'reads',
  `
local ids, pending = redis.call('ZRANGE', OF_USER_PENDING(ARGV[1]), 0, -1), {}
for _, id in ipairs(ids) do
  local due = redis.call('ZSCORE', DUE, id)
  if not due or tonumber(due) > now or tonumber(due) > read_until() then pending[#pending + 1] = id end
end
return pending
`,
);

/**
 * Leaves the mark of a cancellation and cancels the task's prompts that are older, at most 200 at a time.
 * IN  task, version, cancelled_by?, reason?, how long the mark stays, cancelled_via?, when it reached the node ('' for now)
 * OUT {'1' while there may be more, feed order}
 */
export const CANCEL_PROMPTS = confirmationScript(
  'cancel-prompts',
  'settles',
  `
local task, version, by, reason = ARGV[1], tonumber(ARGV[2]), optional(ARGV[3]), optional(ARGV[4])
local via = optional(ARGV[6])
local mark = redis.call('HGET', CANCELLED(task), 'version')
if not mark or tonumber(mark) < version then
  redis.call('DEL', CANCELLED(task))
  redis.call('HSET', CANCELLED(task), 'version', ARGV[2])
  put(CANCELLED(task), 'by', by)
  put(CANCELLED(task), 'reason', reason)
  put(CANCELLED(task), 'via', via)
  redis.call('PEXPIRE', CANCELLED(task), ARGV[5])
end
local settled = 0
for _, id in ipairs(redis.call('ZRANGE', OF_TASK_PENDING(task), 0, -1)) do
  local record = load(id)
  -- one that was opened after the task was resumed stays
  local concerned = record and tonumber(record[I.task_version]) < version
  -- what is late, and meets a deadline that cannot be applied yet, is still no proceed
  if concerned and (as_of(record, tonumber(ARGV[7])) or record)[I.state] == 'pending' then
    settle(record, { outcome = 'cancelled', proceed = '0', answered_by = by, reason = reason, via = via })
    settled = settled + 1
    if settled == 200 then return { '1', fed() } end
  end
end
return { '', fed() }
`,
);
