/** Nodes: who is alive, who serves whom, and the work that whichever node comes first does for all. */
import { CONFIRMATION_STEPS } from './confirmation.js';
import { script } from './script.js';

/**
 * Renews this node's lease. KEYS[1] is the nodes' own hash; times are by Redis' clock.
 * IN  node, connections, anonymous ones, '1' when it leaves, for how long the dead are remembered, its retention
 * OUT {now, node, 'seen connections anonymous retention', …}; a node that left was seen at 0
 */
export const HEARTBEAT = script(
  'heartbeat',
  'notes',
  `
redis.call('HSET', root, 'node:' .. ARGV[1], (ARGV[4] == '1' and '0' or text(now)) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[6])
local all, reply = redis.call('HGETALL', root), { text(now) }
for index = 1, #all, 2 do
  local node = string.match(all[index], '^node:(.*)')
  if node then
    local born = tonumber(string.match(node, '^%d+'))
    local seen = tonumber(string.match(all[index + 1], '^%d+'))
    if math.max(seen, born) < now - ARGV[5] then
      redis.call('HDEL', root, all[index])
    else
      reply[#reply + 1] = node
      reply[#reply + 1] = all[index + 1]
    end
  end
end
return reply
`,
);

/** Something written: what replicas have it has whatever was written before. IN nothing */
export const MARK = script('mark', 'notes', `return redis.call('HSET', META, 'mark', text(now))`);

/** How the data is laid out; the first node says, the others must agree. IN partitions; OUT partitions as laid out */
export const LAYOUT = script(
  'layout',
  'notes',
  `
redis.call('HSETNX', root, 'partitions', ARGV[1])
return redis.call('HGET', root, 'partitions')
`,
);

/**
 * What is due in a partition, at most 'limit' of each kind, and what is old. Decisions come through the stream.
 * IN  node, retention, limit, 'alone' or 'beside' for a node that starts ('alone': no lease of another's runs), told up to
 *     ('' for nothing), number of a tick by pub/sub ('' for none), the webhook events it wants, each followed by a space,
 *     until when it has read its sockets ('now' at its start, 'left' at its end, '' for a node without any), '1' when it
 *     serves, '<offset> <jump>' of the server's clock as this node has seen it ('' for none)
 * OUT {now, newest event, told, next deadline or nil, '1' when more is due, records that near their deadline,
 *      tasks to forget (id, last use, …), tasks whose cancellation has not reached all partitions,
 *      '1' while there are notices that nobody holds, how many of them were given up, which server's life it is, offset}
 */
export const TICK = script(
  'tick',
  'notes',
  CONFIRMATION_STEPS,
  `
local retention, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
-- the server's clock has jumped, unless another node has been told so already, or vouches for a later time: then it was
-- this node that slept
local known, jump = string.match(ARGV[10], '^(%S+) (%S+)$')
if known == text(offset) then
  jump = tonumber(jump)
  local contradicted = false
  for node, upto in pairs(reading_of_nodes()) do contradicted = contradicted or (node ~= ARGV[1] and upto > now - jump + 500) end
  if jump < 0 or not contradicted then
    offset = offset - jump
    now = jump < 0 and math.floor((time[1] * 1000000 + time[2]) / 1000 + offset) or now - jump
    redis.call('HSET', META, 'offset', text(offset))
    readings = nil
    -- what was opened between the jump and now
    for _, id in ipairs(redis.call('ZREVRANGE', PENDING, 0, 999)) do
      local record = load(id)
      if record and tonumber(record[I.created]) > now + 100 then
        redis.call('HINCRBY', CONFIRMATION(id), 'created', text(-jump))
        if record[I.expires] then
          redis.call('HINCRBY', CONFIRMATION(id), 'expires', text(-jump))
          redis.call('ZINCRBY', DUE, text(-jump), id)
          if redis.call('ZSCORE', EXPIRING, id) then redis.call('ZINCRBY', EXPIRING, text(-jump), id) end
        end
      end
    end
  end
end
redis.call('HSET', META, 'seen', text(now))
if ARGV[8] == 'left' then redis.call('HDEL', READING, ARGV[1])
elseif ARGV[8] ~= '' then redis.call('HSET', READING, ARGV[1], (ARGV[8] == 'now' and text(now) or ARGV[8]) .. ' ' .. text(now) .. ' ' .. ARGV[9]) end
-- some missed ticks more, so that a short retention leaves no hole
if ARGV[7] ~= '' then
  -- a node that starts with a filter ends the keeping of what it does not want; another node that wants it says so again
  if ARGV[4] ~= '' then
    for _, field in ipairs(redis.call('HKEYS', META)) do
      if string.sub(field, 1, 8) == 'notices:' then redis.call('HDEL', META, field) end
    end
  end
  for name in string.gmatch(ARGV[7], '%S+') do redis.call('HSET', META, 'notices:' .. name, text(now + retention + 5000)) end
end
-- a node that was killed has a lease for a while, but no connection: only who starts listens
if ARGV[4] == 'alone' or (ARGV[4] == 'beside' and redis.call('PUBSUB', 'SHARDNUMSUB', TO_FEED)[2] <= 1) then since = now end
-- for so long nothing ran, or Redis itself was away: deadlines up to here were missed
if ARGV[9] == '1' then
  redis.call('HSET', META, 'running_since', text(running_since()), 'tick', text(now), 'tick_run', life())
  redis.call('HDEL', META, 'unserved')
else
  if since then redis.call('HSET', META, 'running_since', text(since)) end
  local served = false
  for node in pairs(reading_of_nodes()) do served = served or string.match(redis.call('HGET', READING, node), ' 1$') end
  if not served then redis.call('HSET', META, 'unserved', '1') end
end
local told = redis.call('HGET', META, 'told') or '0'
if ARGV[5] ~= '' and tonumber(ARGV[5]) > tonumber(told) then
  told = ARGV[5]
  redis.call('HSET', META, 'told', told)
end

local first_due = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2] or 'inf')
local due = {}
if first_due <= now then due = redis.call('ZRANGEBYSCORE', DUE, '-inf', text(read_until()), 'LIMIT', 0, limit) end
for _, id in ipairs(due) do
  local record = load(id)
  if record then current(record) end
  redis.call('ZREM', DUE, id)
end
local nearing = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', now, 'LIMIT', 0, limit)
local warned = {}
for _, id in ipairs(nearing) do
  redis.call('ZREM', EXPIRING, id)
  local record = load(id)
  if record and record[I.state] == 'pending' then
    warned[#warned + 1] = record
    note('expiring-' .. id, 'confirmation', id, 'confirmation.expiring')
    local message = cjson.encode({ 'expiring', record })
    redis.call('SPUBLISH', TO_CHANNEL('user:' .. record[I.user]), message)
    redis.call('SPUBLISH', TO_FIREHOSE, message)
  end
end

local given_up = redis.call('ZRANGEBYSCORE', NOTED, '-inf', text(now - retention), 'LIMIT', 0, limit)
for _, id in ipairs(given_up) do forget_notice(id) end
local old = redis.call('ZRANGEBYSCORE', DECIDED, '-inf', now - retention, 'LIMIT', 0, limit)
for _, id in ipairs(old) do
  local record = load(id)
  if record then
    local key, user, task = redis.call('HGET', CONFIRMATION(id), 'key'), record[I.user], record[I.task]
    if key and redis.call('GET', KEY(user, key)) == id then redis.call('DEL', KEY(user, key)) end
    for _, list in ipairs({ ALL, OF_USER(user), OF_TASK(task) }) do redis.call('ZREM', list, id) end
    redis.call('DEL', CONFIRMATION(id))
  end
  redis.call('ZREM', DECIDED, id)
end
redis.call('XTRIM', EVENTS, 'MINID', '~', text(math.max(0, now - retention) * 1000))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEPT, '-inf', now, 'LIMIT', 0, limit)) do
  local user = redis.call('HGET', MESSAGE(id), 'user')
  if user then redis.call('ZREM', WAITING_OF(user), id) end
  redis.call('DEL', MESSAGE(id))
  redis.call('ZREM', WAITING, id)
  redis.call('ZREM', KEPT, id)
end
for _, channel in ipairs(redis.call('ZRANGEBYSCORE', CHANNELS, '-inf', now, 'LIMIT', 0, limit)) do forget_channel(channel) end

local next, waits = false, false
first_due = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2] or 'inf')
if first_due <= now and #due < limit then
  waits = true
  ask_laggards(first_due, ARGV[1])
end
for _, list in ipairs({ DUE, EXPIRING }) do
  local first = redis.call('ZRANGE', list, 0, 0, 'WITHSCORES')[2]
  if first and (not next or tonumber(first) < next) then next = tonumber(first) end
end
-- those that have not read so far come by themselves; unless their lease ends
if waits then next = math.max(next, now + 250) end
if ARGV[6] ~= '' then redis.call('SPUBLISH', TO_NODE(ARGV[1]), cjson.encode({ 'tick', ARGV[6] })) end
local more = #due == limit or #nearing == limit or #old == limit or #given_up == limit
return { text(now), fed(), told, next and text(next), more and '1' or '', warned,
  redis.call('ZRANGEBYSCORE', TASKS, '-inf', now - retention, 'WITHSCORES', 'LIMIT', 0, 50),
  redis.call('ZRANGEBYSCORE', UNDONE, '-inf', now - 1000, 'LIMIT', 0, 10),
  #redis.call('ZRANGEBYSCORE', NOTICES, '-inf', text(now), 'LIMIT', 0, 1) > 0 and '1' or '', text(#given_up), life(), text(offset) }
`,
);

/**
 * Events after one, in order, a page of them.
 * IN  after, limit
 * OUT {order, 'decided', record, order, 'task', JSON, …}
 */
export const EVENTS_AFTER = script(
  'events-after',
  'tells',
  CONFIRMATION_STEPS,
  `
local found = {}
for _, entry in ipairs(redis.call('XRANGE', EVENTS, '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])) do
  local kind, subject = entry[2][1], entry[2][2]
  found[#found + 1] = string.match(entry[1], '^%d+')
  found[#found + 1] = kind
  if kind == 'decided' then found[#found + 1] = load(subject) or false else found[#found + 1] = subject end
end
return found
`,
);

/** This node serves so many connections of a channel. IN channel, node, count, for how long that is remembered */
export const WATCH = script(
  'watch',
  'notes',
  `
local key = WATCHERS(ARGV[1])
if ARGV[3] == '0' then
  redis.call('HDEL', key, ARGV[2])
else
  redis.call('HSET', key, ARGV[2], ARGV[3])
  redis.call('PEXPIRE', key, ARGV[4])
end
return 1
`,
);

/**
 * A connection that is put back on the list, after it was taken off by mistake or lost, gets the place that it had.
 * IN  user, '<node> <connection>', for how long that is remembered, its order ('' for a new connection)
 * OUT {its order, the user's connections, oldest first}
 */
export const CONNECT = script(
  'connect',
  'notes',
  `
local key = CONNECTIONS(ARGV[1])
if not redis.call('ZSCORE', key, ARGV[2]) then redis.call('ZADD', key, ARGV[4] ~= '' and ARGV[4] or order(), ARGV[2]) end
redis.call('PEXPIRE', key, ARGV[3])
return { text(tonumber(redis.call('ZSCORE', key, ARGV[2]))), redis.call('ZRANGE', key, 0, -1) }
`,
);

/** Takes connections off a user's list. IN user, '1' to tell their nodes to close them, then '<node> <connection>'… */
export const DISCONNECT = script(
  'disconnect',
  'notes',
  `
for index = 3, #ARGV do
  local node, connection = string.match(ARGV[index], '^(%S+) (.*)$')
  redis.call('ZREM', CONNECTIONS(ARGV[1]), ARGV[index])
  redis.call('HDEL', DEVICES(ARGV[1]), ARGV[index])
  if ARGV[2] == '1' then redis.call('SPUBLISH', TO_NODE(node), cjson.encode({ 'evicted', connection })) end
end
return 1
`,
);

/** IN user; OUT the user's connections, oldest first */
export const CONNECTED = script('connected', 'reads', `return redis.call('ZRANGE', CONNECTIONS(ARGV[1]), 0, -1)`);

/** For the user of a task whose connections are nodes' in another partition. IN channel, message; OUT watchers (node, count, …) */
export const FORWARD = script(
  'forward',
  'reads',
  `
redis.call('SPUBLISH', TO_CHANNEL(ARGV[1]), ARGV[2])
return redis.call('HGETALL', WATCHERS(ARGV[1]))
`,
);
