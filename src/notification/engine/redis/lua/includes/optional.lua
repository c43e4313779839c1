-- An argument that may be absent: 'n', or 's' and the text.
local function optional(argument)
  if string.sub(argument, 1, 1) == 's' then return string.sub(argument, 2) end
  return false
end
