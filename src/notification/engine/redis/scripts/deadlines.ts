/**
 * The rule of `engine/deadlines.ts` in the Redis engine: whether a deadline is applied now, and to what. It is part of every
 * script that touches a pending prompt, after `settle`.
 *
 * With every tick each node leaves in READING up to when it has read its sockets, by the partition's clock, when it said
 * so, and whether it serves. A node is waited for until it has been silent for its lease; or, where it has no subscription any more, as one
 * whose process has ended, until it has missed a tick.
 */
import { IN_TIME_MS } from '../../deadlines.js';

/** How long a silent node is waited for: longer than any standstill that it survives without being taken for dead. */
export const READING_LEASE_MS = 15_000;
/** One tick missed, and half of the next. */
const TICKING_MS = 1500;
/** Between two requests to the nodes to say how far they have read. */
const ASK_EVERY_MS = 20;

export const DEADLINE_STEPS = `
-- since when Redis and some serving node have been running without a break, which whoever comes first after one has to see
local since
local function running_since()
  if since then return since end
  local known = redis.call('HMGET', META, 'running_since', 'tick', 'tick_run', 'unserved')
  local broken = known[4] or not known[2] or now - tonumber(known[2]) > ${IN_TIME_MS} or known[3] ~= life()
  since = broken and now or tonumber(known[1] or '0')
  return since
end

-- of the nodes that are waited for: up to when each has read its sockets
local readings
local function reading_of_nodes()
  if readings then return readings end
  readings = {}
  local all = redis.call('HGETALL', READING)
  for index = 1, #all, 2 do
    local upto, at = string.match(all[index + 1], '^(%S+) (%S+)')
    local silent = now - tonumber(at)
    if silent < ${TICKING_MS} or (silent < ${READING_LEASE_MS} and redis.call('PUBSUB', 'SHARDNUMSUB', TO_NODE(all[index]))[2] > 0) then
      readings[all[index]] = tonumber(upto)
    end
  end
  return readings
end
local function read_until()
  local least = now
  for _, upto in pairs(reading_of_nodes()) do least = math.min(least, upto) end
  return least
end

-- a deadline cannot be applied yet: whoever has not come so far shall say so when it has
local function ask_laggards(deadline, asker)
  if now - tonumber(redis.call('HGET', META, 'asked') or '0') < ${ASK_EVERY_MS} then return end
  redis.call('HSET', META, 'asked', text(now))
  for node, upto in pairs(reading_of_nodes()) do
    if upto < deadline and node ~= asker then redis.call('SPUBLISH', TO_NODE(node), cjson.encode({ 'read', text(deadline) })) end
  end
end

-- a default of proceed that only a setting gave does not count for a deadline that was missed
local function proceeds(record, expires)
  if record[I.on_timeout] ~= 'proceed' then return '0' end
  local in_time = now - expires <= ${IN_TIME_MS} and expires > running_since()
  return (record[I.on_timeout_by] == 'caller' or in_time) and '1' or '0'
end

-- the record, after its deadline where that may be applied
local function current(record)
  local expires = tonumber(record[I.expires] or '')
  if record[I.state] ~= 'pending' or not expires or expires > now or expires > read_until() then return record end
  settle(record, { outcome = 'timed_out', proceed = proceeds(record, expires), via = 'clock' })
  return record
end

-- the record as what arrived then (or now) meets it; false where that has to wait for the deadline
local function as_of(record, arrived)
  local expires = tonumber(record[I.expires] or '')
  if record[I.state] ~= 'pending' or not expires or (arrived or now) < expires then return record end
  return current(record)[I.state] ~= 'pending' and record
end

-- what came before the deadline was decided before it, however late it is handled
local function timely(record) return math.min(now, tonumber(record[I.expires] or 'inf') - 1) end
`;
