--- @include "root"
local function TO_NODE(node) return root .. ':node:' .. node end
