-- Emits the event of a changed task and stores its webhook event. Returns the order of the event.
--- @include "task-record"
--- @include "append-event"
--- @include "store-webhook-event"
local function emit_task_event(task, named_user)
  local order = append_event('task', cjson.encode({ task, named_user }), { task, named_user })
  store_webhook_event('task-' .. redis.sha1hex(root .. ':' .. task[T.id]) .. '-' .. order, 'task',
    cjson.encode({ task, named_user }), task[T.cancelled] and 'task.cancelled' or 'task.resumed')
  return order
end
