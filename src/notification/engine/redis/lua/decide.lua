-- Decides a confirmation by an answer.
--
-- IN  arrived: when the answer reached the node, '' for now
-- OUT status ('accepted', 'repeated', 'already_resolved' or 'not_found'), record?, newest_event?;
--     or 'waits' and the deadline in place of the record: the answer came late, and the deadline cannot be applied yet
--- @include "meet-deadline"
--- @include "newest-event"
--- @include "optional"
--- @include "is-in-scope"
local id, scope, answered_by, proceed, feedback, choice, values, edited, via, arrived = unpack(ARGV)
local record = read_record(id)
if not record or not is_in_scope(scope, record[I.user]) then return { 'not_found' } end
local answer = { outcome = 'answered', answered_by = optional(answered_by), proceed = proceed, feedback = optional(feedback),
  choice = optional(choice), values = optional(values), edited = optional(edited), via = via, at = timely(record) }
if not meet_deadline(record, tonumber(arrived)) then return { 'waits', record[I.expires] } end
if record[I.state] == 'pending' then
  decide_record(record, answer)
  return { 'accepted', record, newest_event() }
end
local is_same = record[I.state] == 'answered'
for _, field in ipairs({ 'answered_by', 'proceed', 'feedback', 'choice', 'values', 'edited' }) do
  is_same = is_same and record[I[field]] == answer[field]
end
return { is_same and 'repeated' or 'already_resolved', record, newest_event() }
