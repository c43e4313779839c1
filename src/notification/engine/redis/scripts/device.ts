/** What is known of the connections of a user. The list of connections says which of them count. */
import { script } from './script.js';

/** IN user, '<node> <connection>', JSON, for how long that is remembered */
export const DESCRIBE = script(
  'describe',
  'notes',
  `
if redis.call('ZSCORE', CONNECTIONS(ARGV[1]), ARGV[2]) then
  redis.call('HSET', DEVICES(ARGV[1]), ARGV[2], ARGV[3])
  redis.call('PEXPIRE', DEVICES(ARGV[1]), ARGV[4])
end
return 1
`,
);

/** IN user; OUT {'<node> <connection>', JSON, …}, oldest connection first */
export const DEVICES_OF = script(
  'devices-of',
  'reads',
  `
local found = {}
for _, member in ipairs(redis.call('ZRANGE', CONNECTIONS(ARGV[1]), 0, -1)) do
  local device = redis.call('HGET', DEVICES(ARGV[1]), member)
  if device then
    found[#found + 1] = member
    found[#found + 1] = device
  end
end
return found
`,
);
