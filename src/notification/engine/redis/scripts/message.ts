/**
 * Publications, positions, acknowledged messages.
 *
 *  1. The partition's epoch is bound to one life of one Redis server: after a restart or a fail-over it is another, so
 *     that a position from before, whose later part may be lost, is never taken for a good one. It is looked at again
 *     after 25 ms, which is shorter than any restart.
 *  2. Reading a position creates nothing. A channel that nothing was published to, or that was forgotten, stands at the
 *     partition's floor, the highest offset of all forgotten channels. So offsets of a channel only grow within an epoch.
 *  3. What is appended is published in the same script, so that the order of the two is the same.
 */
import { script } from './script.js';

const STEPS = `
local function partition_epoch()
  local known = redis.call('HMGET', META, 'epoch', 'run', 'run_at')
  if known[1] and now - tonumber(known[3]) < 25 then return known[1] end
  local run = life()
  if not known[1] or known[2] ~= run then
    known[1] = string.sub(run, 1, 8) .. '.' .. order()
    redis.call('HSET', META, 'epoch', known[1], 'run', run)
  end
  redis.call('HSET', META, 'run_at', text(now))
  return known[1]
end

-- epoch and offset of the channel's newest publication
local function position(channel)
  local head = redis.call('GET', HEAD(channel)) or redis.call('HGET', META, 'floor') or '0'
  return partition_epoch(), tonumber(head)
end

local function wake(channel, message, hose)
  redis.call('SPUBLISH', TO_CHANNEL(channel), message)
  if hose then redis.call('SPUBLISH', TO_FIREHOSE, message) end
end
`;

/**
 * IN  channel, message (JSON), uid, '1' for recoverable, history size, history ttl, how long an idle channel is kept,
 *     '1' where anonymous connections see it, retention
 * OUT {epoch, offset or nil, watchers (node, count, …), owner of the task or nil}
 */
export const PUBLISH = script(
  'publish',
  'adds',
  STEPS,
  `
local channel, recoverable = ARGV[1], ARGV[4] == '1'
local epoch, offset = false, false
if recoverable then
  epoch, offset = position(channel)
  offset = offset + 1
  redis.call('SET', HEAD(channel), text(offset))
  redis.call('ZADD', CHANNELS, text(now + ARGV[7]), channel)
  if ARGV[5] ~= '0' then
    redis.call('XADD', HISTORY(channel), 'MAXLEN', '=', ARGV[5], text(offset) .. '-0', 'at', text(now), 'message', ARGV[2])
    redis.call('PEXPIRE', HISTORY(channel), ARGV[6])
  end
end
local owner = false
if string.sub(channel, 1, 5) == 'task:' then
  local id = string.sub(channel, 6)
  local task = redis.call('HMGET', TASK(id), 'user', 'cancelled')
  owner = task[1]
  -- a message counts as a use of the task; coarse, as in claim
  local last = owner and not task[2] and redis.call('ZSCORE', TASKS, id)
  if last and tonumber(last) < now - ARGV[9] / 10 then redis.call('ZADD', TASKS, now, id) end
end
local head = cjson.encode({ 'publication', ARGV[3], channel, epoch, offset and text(offset), owner })
wake(channel, head .. '\\n' .. ARGV[2], ARGV[8] == '1')
return { epoch, offset and text(offset), redis.call('HGETALL', WATCHERS(channel)), owner }
`,
);

/** IN channel; OUT {epoch, offset} */
export const POSITION = script(
  'position',
  'notes',
  STEPS,
  `
local epoch, offset = position(ARGV[1])
return { epoch, text(offset) }
`,
);

/**
 * IN  channel, epoch, offset, limit, history ttl, bytes after which a page ends
 * OUT {'1' when nothing is missing, epoch, offset, publications (offset, message, …)}
 */
export const HISTORY_AFTER = script(
  'history-after',
  'notes',
  STEPS,
  `
local epoch, head = position(ARGV[1])
local since, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
if epoch ~= ARGV[2] or since > head then return { '', epoch, text(head), {} } end
local found, at, size = {}, since, 0
local goal = math.min(head, since + limit)
while at < goal and size < tonumber(ARGV[6]) do
  local entries = redis.call('XRANGE', HISTORY(ARGV[1]), text(at + 1), '+', 'COUNT', math.min(goal - at, 25))
  if #entries == 0 then return { '', epoch, text(head), {} } end
  for _, entry in ipairs(entries) do
    local offset = tonumber(string.match(entry[1], '^%d+'))
    if offset ~= at + 1 or tonumber(entry[2][2]) <= now - ARGV[5] then return { '', epoch, text(head), {} } end
    at = offset
    size = size + #entry[2][4]
    found[#found + 1] = text(offset)
    found[#found + 1] = entry[2][4]
    if size >= tonumber(ARGV[6]) then break end
  end
end
return { '1', epoch, text(head), found }
`,
);

/** Whose a message is, by its id alone. IN message id, user, for how long; OUT user */
export const NAME_OWNER = script(
  'name-owner',
  'adds',
  `
redis.call('SET', MESSAGE_OWNER(ARGV[1]), ARGV[2], 'PX', ARGV[3], 'NX')
return redis.call('GET', MESSAGE_OWNER(ARGV[1]))
`,
);

/** IN message id; OUT user or nil */
export const OWNER = script('owner', 'reads', `return redis.call('GET', MESSAGE_OWNER(ARGV[1]))`);

/**
 * IN  message id, user, message (JSON), time to live, sending node
 * OUT {'1' when it is new, watchers (node, count, …), expires}
 */
export const KEEP = script(
  'keep',
  'adds',
  STEPS,
  `
local id, user = ARGV[1], ARGV[2]
if redis.call('EXISTS', MESSAGE(id)) == 1 then return { '', {}, '' } end
local at, expires = order(), text(now + tonumber(ARGV[4]))
redis.call('HSET', MESSAGE(id), 'user', user, 'message', ARGV[3], 'expires', expires, 'from', ARGV[5], 'order', at)
redis.call('ZADD', KEPT, expires, id)
redis.call('ZADD', WAITING, expires, id)
redis.call('ZADD', WAITING_OF(user), at, id)
local head = cjson.encode({ 'message', id, user, expires })
wake('user:' .. user, string.sub(head, 1, -2) .. ',' .. ARGV[3] .. ']', true)
return { '1', redis.call('HGETALL', WATCHERS('user:' .. user)), expires }
`,
);

/** IN message id, scope; OUT 'acknowledged', 'repeated' or 'not_found', and the user */
export const ACK = script(
  'ack',
  'settles',
  STEPS,
  `
local id = ARGV[1]
local kept = redis.call('HMGET', MESSAGE(id), 'user', 'expires', 'acknowledged', 'from')
local user = kept[1]
if not user or tonumber(kept[2]) <= now or not within(ARGV[2], user) then return { 'not_found', false } end
if kept[3] then return { 'repeated', user } end
redis.call('HSET', MESSAGE(id), 'acknowledged', text(now))
redis.call('ZREM', WAITING, id)
redis.call('ZREM', WAITING_OF(user), id)
local message = cjson.encode({ 'acknowledged', id, user })
wake('user:' .. user, message, true)
redis.call('SPUBLISH', TO_NODE(kept[4]), message)
return { 'acknowledged', user }
`,
);

/** IN message id; OUT when it was acknowledged, or nil */
export const ACKNOWLEDGED = script('acknowledged', 'reads', `return redis.call('HGET', MESSAGE(ARGV[1]), 'acknowledged')`);

/**
 * IN  user, from (an interval's start), limit
 * OUT {messages (id, message, expires, …), from where to go on or nil}
 */
export const UNACKNOWLEDGED = script(
  'unacknowledged',
  'reads',
  `
local user, from, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found, count = {}, 0
local ids = redis.call('ZRANGEBYSCORE', WAITING_OF(user), from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
for index = 1, math.min(#ids, limit * 2), 2 do
  local kept = redis.call('HMGET', MESSAGE(ids[index]), 'message', 'expires')
  from = '(' .. text(tonumber(ids[index + 1]))
  if kept[1] and tonumber(kept[2]) > now then
    for _, value in ipairs({ ids[index], kept[1], kept[2] }) do found[#found + 1] = value end
  end
end
return { found, #ids > limit * 2 and from }
`,
);

/** IN nothing; OUT {pending prompts, waiting messages} */
export const COUNTS = script(
  'counts',
  'reads',
  `return { redis.call('ZCARD', PENDING), redis.call('ZCOUNT', WAITING, '(' .. text(now), '+inf') }`,
);
