-- Since when Redis and some serving node have been running without a break. The first script after a break has to see it.
--- @include "clock"
--- @include "server-run"
--- @include "deadline-limits"
local since
local function running_since()
  if since then return since end
  local known = redis.call('HMGET', META, 'running_since', 'tick', 'tick_run', 'unserved')
  local broken = known[4] or not known[2] or now - tonumber(known[2]) > IN_TIME_MS or known[3] ~= server_run()
  since = broken and now or tonumber(known[1] or '0')
  return since
end
