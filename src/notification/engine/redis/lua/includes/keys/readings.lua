--- @include "root"
-- HASH: node -> '<its reading mark> <when it said so> <1 while it serves>'
local READINGS = root .. ':reading'
