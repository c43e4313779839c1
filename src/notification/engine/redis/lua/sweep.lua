-- One step of the sweep in a partition: applies deadlines, warns of them, forgets what is old; at most `limit` of each kind.
-- Decisions reach the nodes through the stream.
--
-- IN  retention: milliseconds; start: 'alone' or 'beside' for a node that starts ('alone': no other node's lease runs);
--     emitted_up_to: order up to which the node has emitted events, '' for none; probe: number of a probe by pub/sub, '' for none;
--     webhook_events: names that the node wants stored, each followed by a space;
--     reading_mark: how far it has read its sockets ('now' at its start, 'left' at its end, '' for a node without any);
--     serves: '1' when it serves; jump_offset, jump: a jump of the server's clock as this node has seen it, '' for none
-- OUT now, newest_event, emitted_up_to, next_at? (the next deadline or warning), more ('1' when more is due),
--     expiring (records whose warning is due), idle_tasks (groups of task, last_use), undone_tasks (cancelled, but not yet in
--     all partitions), claimable ('1' while there are webhook events that nobody holds), given_up (how many of them were
--     given up), server_run, clock_offset
--- @include "apply-deadline"
--- @include "newest-event"
--- @include "forget-webhook-event"
--- @include "forget-channel"
--- @include "keys/messages"
--- @include "keys/tasks"
local node, retention, limit, start, emitted_up_to, probe, webhook_events, reading_mark, serves, jump_offset, jump = unpack(ARGV)
retention, limit, jump = tonumber(retention), tonumber(limit), tonumber(jump)

-- The server's clock has jumped, unless another node has reported the jump already, or vouches for a later time: then it was
-- this node that slept.
if jump and tonumber(jump_offset) == clock_offset then
  local contradicted = false
  for other, mark in pairs(reading_marks()) do contradicted = contradicted or (other ~= node and mark > now - jump + 500) end
  if jump < 0 or not contradicted then
    clock_offset = clock_offset - jump
    now = jump < 0 and math.floor((time[1] * 1000000 + time[2]) / 1000 + clock_offset) or now - jump
    redis.call('HSET', META, 'offset', text(clock_offset))
    marks = nil
    -- Confirmations that were opened between the jump and now.
    for _, id in ipairs(redis.call('ZREVRANGE', PENDING, 0, 999)) do
      local record = read_record(id)
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
redis.call('HSET', META, 'seen', text(now), 'sweeper', node)

if reading_mark == 'left' then
  redis.call('HDEL', READINGS, node)
  redis.call('HDEL', META, 'sweeper')
elseif reading_mark ~= '' then
  redis.call('HSET', READINGS, node, (reading_mark == 'now' and text(now) or reading_mark) .. ' ' .. text(now) .. ' ' .. serves)
end

if webhook_events ~= '' then
  -- A node that starts with names ends the storing of other names. Another node that wants them says so with its next sweep.
  if start ~= '' then
    for _, field in ipairs(redis.call('HKEYS', META)) do
      if string.sub(field, 1, 8) == 'notices:' then redis.call('HDEL', META, field) end
    end
  end
  -- Some missed sweeps longer, so that a short retention leaves no hole.
  for name in string.gmatch(webhook_events, '%S+') do
    redis.call('HSET', META, 'notices:' .. name, text(now + retention + 5000))
  end
end

-- A killed node keeps its lease for a while, but no connection: then only the node that starts listens. Nothing ran until now.
if start == 'alone' or (start == 'beside' and redis.call('PUBSUB', 'SHARDNUMSUB', TO_FEED())[2] <= 1) then since = now end
if serves == '1' then
  redis.call('HSET', META, 'running_since', text(running_since()), 'tick', text(now), 'tick_run', server_run())
  redis.call('HDEL', META, 'unserved')
else
  if since then redis.call('HSET', META, 'running_since', text(since)) end
  local is_served = false
  for other in pairs(reading_marks()) do
    is_served = is_served or string.match(redis.call('HGET', READINGS, other), ' 1$')
  end
  if not is_served then redis.call('HSET', META, 'unserved', '1') end
end

local emitted = redis.call('HGET', META, 'told') or '0'
if emitted_up_to ~= '' and tonumber(emitted_up_to) > tonumber(emitted) then
  emitted = emitted_up_to
  redis.call('HSET', META, 'told', emitted)
end

local first_due = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2] or 'inf')
local due = {}
if first_due <= now then due = redis.call('ZRANGEBYSCORE', DUE, '-inf', text(read_until()), 'LIMIT', 0, limit) end
for _, id in ipairs(due) do
  local record = read_record(id)
  if record then apply_deadline(record) end
  redis.call('ZREM', DUE, id)
end

local nearing = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', now, 'LIMIT', 0, limit)
local expiring = {}
for _, id in ipairs(nearing) do
  redis.call('ZREM', EXPIRING, id)
  local record = read_record(id)
  if record and record[I.state] == 'pending' then
    if record[I.dismissed_until] then redis.call('HDEL', CONFIRMATION(id), 'dismissed_until') end
    record[I.dismissed_until] = false
    expiring[#expiring + 1] = record
    store_webhook_event('expiring-' .. id, 'confirmation', id, 'confirmation.expiring')
    local message = cjson.encode({ 'expiring', record })
    redis.call('SPUBLISH', TO_CHANNEL('user:' .. record[I.user]), message)
    redis.call('SPUBLISH', TO_FIREHOSE(), message)
  end
end

local given_up = redis.call('ZRANGEBYSCORE', STORED, '-inf', text(now - retention), 'LIMIT', 0, limit)
for _, id in ipairs(given_up) do forget_webhook_event(id) end

local old = redis.call('ZRANGEBYSCORE', DECIDED, '-inf', now - retention, 'LIMIT', 0, limit)
for _, id in ipairs(old) do
  local record = read_record(id)
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
for _, channel in ipairs(redis.call('ZRANGEBYSCORE', CHANNELS(), '-inf', now, 'LIMIT', 0, limit)) do forget_channel(channel) end

local next_at, waits = false, false
first_due = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2] or 'inf')
if first_due <= now and #due < limit then
  -- A deadline cannot be applied yet. The nodes that have not read so far are asked to say so when they have.
  waits = true
  if now - tonumber(redis.call('HGET', META, 'asked') or '0') >= 20 then
    redis.call('HSET', META, 'asked', text(now))
    for other, mark in pairs(reading_marks()) do
      if mark < first_due and other ~= node then
        redis.call('SPUBLISH', TO_NODE(other), cjson.encode({ 'read', text(first_due) }))
      end
    end
  end
end
for _, list in ipairs({ DUE, EXPIRING }) do
  local first = redis.call('ZRANGE', list, 0, 0, 'WITHSCORES')[2]
  if first and (not next_at or tonumber(first) < next_at) then next_at = tonumber(first) end
end
-- The nodes that were asked sweep by themselves, unless their lease ends.
if waits then next_at = math.max(next_at, now + 250) end
if probe ~= '' then redis.call('SPUBLISH', TO_NODE(node), cjson.encode({ 'probe', probe })) end
local more = #due == limit or #nearing == limit or #old == limit or #given_up == limit
return { text(now), newest_event(), emitted, next_at and text(next_at), more and '1' or '', expiring,
  redis.call('ZRANGEBYSCORE', TASKS(), '-inf', now - retention, 'WITHSCORES', 'LIMIT', 0, 50),
  redis.call('ZRANGEBYSCORE', UNDONE(), '-inf', now - 1000, 'LIMIT', 0, 10),
  #redis.call('ZRANGEBYSCORE', CLAIMABLE, '-inf', text(now), 'LIMIT', 0, 1) > 0 and '1' or '', text(#given_up), server_run(),
  text(clock_offset) }
