-- Publishes to the nodes that watch a channel and, where anonymous connections see it, to the nodes that watch everything.
--- @include "keys/pubsub"
local function publish_to_channel(channel, message, anonymous_too)
  redis.call('SPUBLISH', TO_CHANNEL(channel), message)
  if anonymous_too then redis.call('SPUBLISH', TO_FIREHOSE(), message) end
end
