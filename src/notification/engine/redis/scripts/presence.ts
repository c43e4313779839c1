/** Scripts of a user's connections. */
import { fields, groupsOf, listOf, nothing, text } from '../reply-decoder.js';
import { script } from './script.js';

export const CONNECT = script('connect', {
  kind: 'maintains',
  args: { user: 'text', member: 'text', ttl: 'number', knownOrder: 'text' },
  reply: fields({ order: text, members: listOf(text) }),
});

export const DISCONNECT = script('disconnect', {
  kind: 'maintains',
  args: { user: 'text', evict: 'flag', members: 'json' },
  reply: nothing,
});

export const CONNECTED = script('connected', { kind: 'reads', args: { user: 'text' }, reply: listOf(text) });

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
