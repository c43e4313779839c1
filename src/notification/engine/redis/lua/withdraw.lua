-- Withdraws a confirmation.
--
-- IN  arrived: when the request reached the node, '' for now
-- OUT status, record?, newest_event?: as of decide
--- @include "meet-deadline"
--- @include "newest-event"
--- @include "optional"
--- @include "is-in-scope"
local id, scope, reason, via, arrived = unpack(ARGV)
local record = read_record(id)
if not record or not is_in_scope(scope, record[I.user]) then return { 'not_found' } end
if not meet_deadline(record, tonumber(arrived)) then return { 'waits', record[I.expires] } end
if record[I.state] == 'pending' then
  decide_record(record, { outcome = 'withdrawn', proceed = '0', reason = optional(reason), via = via, at = timely(record) })
  return { 'accepted', record, newest_event() }
end
return { record[I.state] == 'withdrawn' and 'repeated' or 'already_resolved', record, newest_event() }
