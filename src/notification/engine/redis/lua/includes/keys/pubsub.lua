--- @include "root"
-- Pub/sub channels; the same names as PUBSUB in keys.ts
local TO_FEED, TO_FIREHOSE = root .. ':feed', root .. ':firehose'
local function TO_CHANNEL(channel) return root .. ':channel:' .. channel end
