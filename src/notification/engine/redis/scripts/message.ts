/** Scripts of publications, positions and acknowledged messages. */
import { fields, flag, groupsOf, listOf, nothing, number, optional, text } from '../reply-decoder.js';
import { script } from './script.js';

/** How many connections of each node watch a channel. */
const watchers = groupsOf({ node: text, count: number });

export type Watchers = ReturnType<typeof watchers>;

export const PUBLISH = script('publish', {
  kind: 'adds',
  args: { historySize: 'number', historyTtl: 'number', idleTtl: 'number', retention: 'number' },
  items: {
    place: 'number',
    channel: 'text',
    message: 'text',
    recoverable: 'flag',
    anonymousToo: 'flag',
    head: 'text',
    tail: 'text',
  },
  reply: listOf(fields({ epoch: optional(text), offset: optional(number), watchers, owner: optional(text) })),
});

/** What a publication's caller learns. */
export type Published = ReturnType<(typeof PUBLISH)['decode']>[number];

export const POSITION = script('position', {
  kind: 'maintains',
  args: { channel: 'text' },
  reply: fields({ epoch: text, offset: number }),
});

export const HISTORY_AFTER = script('history-after', {
  kind: 'maintains',
  args: {
    channel: 'text',
    sinceEpoch: 'text',
    sinceOffset: 'number',
    limit: 'number',
    historyTtl: 'number',
    pageBytes: 'number',
  },
  reply: fields({
    complete: flag,
    epoch: text,
    offset: number,
    publications: groupsOf({ offset: number, message: text }),
  }),
});

export const NAME_OWNER = script('name-owner', {
  kind: 'adds',
  args: { id: 'text', user: 'text', ttl: 'number' },
  reply: text,
});

export const OWNER = script('owner', { kind: 'reads', args: { id: 'text' }, reply: optional(text) });

export const KEEP = script('keep', {
  kind: 'adds',
  args: { id: 'text', user: 'text', message: 'json', ttl: 'number', node: 'text' },
  reply: fields({ created: flag, watchers, expires: optional(number) }),
});

export const ACK = script('ack', {
  kind: 'decides',
  args: { id: 'text', scope: 'scope' },
  reply: fields({ status: text, user: optional(text) }),
});

export const ACKNOWLEDGED = script('acknowledged', { kind: 'reads', args: { id: 'text' }, reply: optional(number) });

export const UNACKNOWLEDGED = script('unacknowledged', {
  kind: 'reads',
  args: { user: 'text', from: 'text', limit: 'number', pageBytes: 'number' },
  reply: fields({ messages: groupsOf({ id: text, message: text, expires: number }), nextFrom: optional(text) }),
});

export const COUNTS = script('counts', {
  kind: 'reads',
  args: { ages: 'json' },
  reply: fields({ pendingConfirmations: number, unacknowledgedMessages: number, younger: listOf(number) }),
});

export const FORWARD = script('forward', { kind: 'reads', args: { channel: 'text', message: 'text' }, reply: watchers });

export const TAKE_LEASE = script('take-lease', {
  kind: 'maintains',
  args: { task: 'text', node: 'text' },
  reply: number,
});

export const WATCH = script('watch', {
  kind: 'maintains',
  args: { channel: 'text', node: 'text', count: 'number', ttl: 'number' },
  reply: nothing,
});
