-- Forgets a delivered webhook event.
--
-- OUT '1' when it was there
--- @include "forget-webhook-event"
local id = unpack(ARGV)
return forget_webhook_event(id) and '1' or ''
