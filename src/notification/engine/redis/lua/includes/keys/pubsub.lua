--- @include "root"
-- Pub/sub channels; the same names as PUBSUB in keys.ts
local function TO_FEED() return root .. ':feed' end
local function TO_FIREHOSE() return root .. ':firehose' end
local function TO_CHANNEL(channel) return root .. ':channel:' .. channel end
