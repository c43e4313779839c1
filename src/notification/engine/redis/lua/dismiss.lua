-- Hides a pending confirmation from its user's devices for a while. It decides nothing. The rule is `endOfDismissal` in
-- engine/deadlines.ts.
--
-- IN  hidden_until: milliseconds, '' for the warning before the deadline
-- OUT status ('dismissed', 'already_resolved', 'not_found', 'warned', 'endless' or 'too_soon'), record?, newest_event?
--- @include "apply-deadline"
--- @include "newest-event"
--- @include "is-in-scope"
--- @include "publish-to-channel"
local id, scope, hidden_until = unpack(ARGV)
hidden_until = tonumber(hidden_until)
local record = read_record(id)
if not record or not is_in_scope(scope, record[I.user]) then return { 'not_found' } end
apply_deadline(record)
if record[I.state] ~= 'pending' then return { 'already_resolved', record, newest_event() } end
local created, expires = tonumber(record[I.created]), tonumber(record[I.expires] or '')
local warning = expires and created + math.floor((expires - created) * 0.8)
if warning and warning <= now then return { 'warned' } end
if not warning and not hidden_until then return { 'endless' } end
if hidden_until and hidden_until < now + 60000 then return { 'too_soon' } end
record[I.dismissed_until] = text(math.min(hidden_until or warning, warning or hidden_until))
redis.call('HSET', CONFIRMATION(id), 'dismissed_until', record[I.dismissed_until])
publish_to_channel('user:' .. record[I.user], cjson.encode({ 'dismissed', record }), true)
return { 'dismissed', record, newest_event() }
