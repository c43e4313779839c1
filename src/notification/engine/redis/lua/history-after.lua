-- A page of what was published on a channel after a position.
--
-- IN  history_ttl: milliseconds; page_bytes: the page takes nothing more once it has this many
-- OUT complete ('' when something after the position is gone), epoch, offset, publications (groups of offset, message)
--- @include "position"
local channel, since_epoch, since_offset, limit, history_ttl, page_bytes = unpack(ARGV)
local epoch, head = position(channel)
local since = tonumber(since_offset)
local incomplete = { '', epoch, text(head), {} }
if epoch ~= since_epoch or since > head then return incomplete end
local found, at, size = {}, since, 0
local goal = math.min(head, since + tonumber(limit))
while at < goal and size < tonumber(page_bytes) do
  local entries = redis.call('XRANGE', HISTORY(channel), text(at + 1), '+', 'COUNT', math.min(goal - at, 25))
  if #entries == 0 then return incomplete end
  for _, entry in ipairs(entries) do
    local offset = tonumber(string.match(entry[1], '^%d+'))
    if offset ~= at + 1 or tonumber(entry[2][2]) <= now - history_ttl then return incomplete end
    at = offset
    size = size + #entry[2][4]
    found[#found + 1] = text(offset)
    found[#found + 1] = entry[2][4]
    if size >= tonumber(page_bytes) then break end
  end
end
return { '1', epoch, text(head), found }
