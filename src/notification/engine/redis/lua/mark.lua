-- Writes something: a replica that has it has everything that was written before.
--- @include "clock"
--- @include "text"
return redis.call('HSET', META, 'mark', text(now))
