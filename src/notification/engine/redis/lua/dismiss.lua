-- Hides a pending confirmation from its user's devices until a moment. It decides nothing.
--
-- OUT record?, newest_event?
--- @include "apply-deadline"
--- @include "newest-event"
--- @include "is-in-scope"
--- @include "publish-to-channel"
local id, scope, hidden_until = unpack(ARGV)
local record = read_record(id)
if not record or not is_in_scope(scope, record[I.user]) then return { false } end
apply_deadline(record)
if record[I.state] == 'pending' then
  record[I.dismissed_until] = text(tonumber(hidden_until))
  redis.call('HSET', CONFIRMATION(id), 'dismissed_until', record[I.dismissed_until])
  publish_to_channel('user:' .. record[I.user], cjson.encode({ 'dismissed', record }), true)
end
return { record, newest_event() }
