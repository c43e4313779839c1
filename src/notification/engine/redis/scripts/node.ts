/** Scripts of the nodes: which of them are alive, and the work that any of them does for all. */
import { confirmation } from '../records.js';
import { fields, flag, groupsOf, listOf, nothing, number, optional, text } from '../reply-decoder.js';
import { script } from './script.js';

export const HEARTBEAT = script('heartbeat', {
  kind: 'maintains',
  args: {
    node: 'text',
    connections: 'number',
    anonymous: 'number',
    leaves: 'flag',
    remembered: 'number',
    retention: 'number',
  },
  reply: fields({ now: number, nodes: groupsOf({ node: text, state: text }) }),
});

export const REPORT = script('report', {
  kind: 'maintains',
  args: { node: 'text', report: 'text', ttl: 'number' },
  reply: nothing,
});

export const REPORTS = script('reports', { kind: 'reads', args: { nodes: 'json' }, reply: listOf(optional(text)) });

export const MARK = script('mark', { kind: 'maintains', args: {}, reply: nothing });

export const LAYOUT = script('layout', { kind: 'maintains', args: { partitions: 'number' }, reply: number });

export const SWEEP = script('sweep', {
  kind: 'maintains',
  args: {
    node: 'text',
    retention: 'number',
    limit: 'number',
    start: 'text',
    emittedUpTo: 'optionalNumber',
    probe: 'optionalNumber',
    webhookEvents: 'text',
    readingMark: 'text',
    serves: 'flag',
    jumpOffset: 'optionalNumber',
    jump: 'optionalNumber',
  },
  reply: fields({
    now: number,
    newestEvent: number,
    emittedUpTo: number,
    nextAt: optional(number),
    more: flag,
    expiring: listOf(confirmation),
    idleTasks: groupsOf({ task: text, lastUse: text }),
    undoneTasks: listOf(text),
    claimable: flag,
    givenUp: number,
    serverRun: text,
    clockOffset: number,
  }),
});

export const EVENTS_AFTER = script('events-after', {
  kind: 'emits',
  args: { order: 'number', limit: 'number' },
  reply: groupsOf({ order: number, kind: text, payload: (reply) => reply }),
});
