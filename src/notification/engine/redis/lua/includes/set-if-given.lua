local function set_if_given(key, field, value)
  if value then redis.call('HSET', key, field, value) end
end
