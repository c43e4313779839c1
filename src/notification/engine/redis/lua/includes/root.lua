-- What every key and every pub/sub channel of the partition starts with.
local root = KEYS[1]
