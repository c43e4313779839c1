/** Scripts of a user's connections. */
import { fields, flag, groupsOf, listOf, nothing, number, text } from '../reply-decoder.js';
import { script } from './script.js';

export const CONNECT = script('connect', {
  kind: 'maintains',
  args: { user: 'text', member: 'text', ttl: 'number', knownOrder: 'text', reconnectsFor: 'number' },
  reply: fields({ order: text, members: listOf(text), reconnected: flag }),
});

export const DISCONNECT = script('disconnect', {
  kind: 'maintains',
  args: { user: 'text', evict: 'flag', reconnectWithin: 'number', members: 'json' },
  reply: nothing,
});

export const CONNECTED = script('connected', {
  kind: 'reads',
  args: { user: 'text' },
  reply: fields({ members: listOf(text), reconnects: number }),
});

export const DESCRIBE = script('describe', {
  kind: 'maintains',
  args: { user: 'text', member: 'text', device: 'json', ttl: 'number' },
  reply: nothing,
});

export const DEVICES_OF = script('devices-of', {
  kind: 'reads',
  args: { user: 'text' },
  reply: groupsOf({ member: text, device: text }),
});
