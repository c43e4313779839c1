-- What arrives at a node is compared with the deadline by its arrival, however late it is handled.
--- @include "apply-deadline"

-- The record as something that arrived at a moment, or now, finds it. false: it came late, and the deadline cannot be applied yet.
local function meet_deadline(record, arrived)
  local expires = tonumber(record[I.expires] or '')
  if record[I.state] ~= 'pending' or not expires or (arrived or now) < expires then return record end
  return apply_deadline(record)[I.state] ~= 'pending' and record
end

-- When something that came before the deadline counts as decided: before the deadline.
local function timely(record) return math.min(now, tonumber(record[I.expires] or 'inf') - 1) end
