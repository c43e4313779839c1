-- Publishes a task's message to the task's user, whose nodes listen in another partition.
--
-- OUT groups of node, count: its watchers
--- @include "publish-to-channel"
--- @include "keys/watchers"
local channel, message = unpack(ARGV)
publish_to_channel(channel, message, false)
return redis.call('HGETALL', WATCHERS(channel))
