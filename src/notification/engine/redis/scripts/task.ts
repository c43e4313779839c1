/** Scripts of tasks. */
import { taskRecord } from '../records.js';
import { fields, flag, listOf, nothing, number, optional, text } from '../reply-decoder.js';
import { script } from './script.js';

export const CLAIM = script('claim', {
  kind: 'adds',
  args: { id: 'text', user: 'text', partition: 'optionalNumber', retention: 'number' },
  reply: taskRecord,
});

export const GET_TASK = script('get-task', { kind: 'reads', args: { id: 'text' }, reply: taskRecord });

export const CANCEL = script('cancel', {
  kind: 'decides',
  args: {
    id: 'text',
    scope: 'scope',
    cancelledBy: 'optionalText',
    reason: 'optionalText',
    namedUser: 'optionalText',
    allowUnknown: 'flag',
    via: 'text',
  },
  reply: fields({
    status: text,
    task: optional(taskRecord),
    partitions: optional(listOf(number)),
    undone: optional(flag),
    newestEvent: optional(number),
  }),
});

export const CANCEL_DONE = script('cancel-done', { kind: 'maintains', args: { id: 'text', version: 'text' }, reply: nothing });

export const RESUME = script('resume', {
  kind: 'decides',
  args: { id: 'text' },
  reply: fields({ status: text, task: taskRecord, newestEvent: number, partitions: listOf(number) }),
});

export const IS_BUSY = script('is-busy', { kind: 'reads', args: { task: 'text' }, reply: (reply) => number(reply) > 0 });

export const FORGET_TASK = script('forget-task', {
  kind: 'maintains',
  args: { id: 'text', lastUse: 'text', busy: 'flag' },
  reply: nothing,
});

export const TASK_PARTITIONS = script('task-partitions', { kind: 'reads', args: { id: 'text' }, reply: listOf(number) });
