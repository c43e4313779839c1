-- Which run of which server this is: another one after a restart, a fail-over, or the move of a slot.
local run
local function server_run()
  run = run or string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  return run
end
