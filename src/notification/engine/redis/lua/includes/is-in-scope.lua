-- Whether a call may touch what belongs to a user. scope: 'all', or a JSON list of users.
local function is_in_scope(scope, user)
  if scope == 'all' then return true end
  for _, each in ipairs(cjson.decode(scope)) do
    if each == user then return true end
  end
  return false
end
