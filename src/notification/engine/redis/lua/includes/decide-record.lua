-- The only way out of `pending`: writes the decision, takes the confirmation off every list, appends the event and wakes the
-- nodes, in one step.
--- @include "record"
--- @include "append-event"
--- @include "store-webhook-event"
local function decide_record(record, decision)
  local id, user, task = record[I.id], record[I.user], record[I.task]
  record[I.state], record[I.decided], record[I.proceed] = decision.outcome, text(decision.at or now), decision.proceed
  for _, field in ipairs({ 'feedback', 'choice', 'values', 'edited', 'answered_by', 'reason', 'via', 'applied_by' }) do
    record[I[field]] = decision[field] or false
  end
  local written = {}
  for _, field in ipairs({ 'state', 'decided', 'proceed', 'feedback', 'choice', 'values', 'edited', 'answered_by', 'reason',
    'via', 'applied_by' }) do
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
  store_webhook_event('decision-' .. id, 'confirmation', id, 'confirmation.' .. decision.outcome)
  return append_event('decided', id, record)
end
