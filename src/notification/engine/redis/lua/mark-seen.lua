-- Records when a device first showed a pending confirmation.
--
-- OUT record?, newest_event?
--- @include "apply-deadline"
--- @include "newest-event"
--- @include "is-in-scope"
local id, scope = unpack(ARGV)
local record = read_record(id)
if not record or not is_in_scope(scope, record[I.user]) then return { false } end
apply_deadline(record)
if record[I.state] == 'pending' and not record[I.seen] then
  record[I.seen] = text(now)
  redis.call('HSET', CONFIRMATION(id), 'seen', record[I.seen])
end
return { record, newest_event() }
