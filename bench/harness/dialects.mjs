/**
 * How a client of each contestant speaks. A dialect says which path it upgrades, what it sends first, what a frame is
 * (`ready`, `note`, `pong`, or nothing of interest), and what is sent in reply.
 */
import { createHmac } from 'node:crypto';
import { SECRET } from './secret.mjs';

const NOTE = '"type":"note"';
const silent = { headers: () => '', first: () => undefined };

/** @returns a token for the service in secure mode */
function tokenFor(user) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp: 4_000_000_000 })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

function readOurs(payload) {
  if (payload.includes(NOTE)) return { kind: 'note' };
  const message = JSON.parse(payload);
  switch (message.type) {
    case 'subscription_confirmed':
      return { kind: 'ready' };
    case 'pong':
      return { kind: 'pong' };
    case 'task_step_result':
      return { kind: 'asked', reply: JSON.stringify({ action: 'confirm', callback_id: message.callback_id, proceed: true }) };
    case 'error':
      throw new Error(message.message);
    default:
      return {};
  }
}

/** A connection that has not said who it is. */
const anonymous = {
  ...silent,
  path: () => '/ws',
  isReadyAtOnce: true,
  read: readOurs,
  ping: (n) => JSON.stringify({ action: 'ping', n }),
};

/** A user of the service in open mode, with positions on both channels, as the client library subscribes. */
const user = {
  ...anonymous,
  isReadyAtOnce: false,
  first: (name) => JSON.stringify({ action: 'subscribe', channels: [{ channel: `user:${name}` }, { channel: 'broadcast' }] }),
};

const secure = { ...user, headers: (name) => `Authorization: Bearer ${tokenFor(name)}\r\n` };

/** JSON without anything around it. */
const plain = {
  ...silent,
  path: (name) => `/?user=${name}`,
  isReadyAtOnce: true,
  read: (payload) => ({ kind: payload.includes(NOTE) ? 'note' : 'pong' }),
  ping: anonymous.ping,
};

const nest = {
  ...plain,
  path: () => '/ws',
  ping: (n) => JSON.stringify({ event: 'ping', data: { n } }),
};

/** Engine.IO 4 and Socket.IO 5 over WebSocket alone. */
const socketio = {
  ...silent,
  path: () => '/socket.io/?EIO=4&transport=websocket',
  isReadyAtOnce: false,
  read(payload, name) {
    if (payload.length > 2 && payload.subarray(0, 8).equals(SOCKETIO_NOTE)) return { kind: 'note' };
    const text = payload.toString();
    if (text.startsWith('0')) return { reply: `40${JSON.stringify({ user: name })}` };
    if (text.startsWith('40')) return { kind: 'ready' };
    if (text === '2') return { reply: '3' };
    const id = /^42(\d+)/.exec(text)?.[1];
    return id === undefined ? {} : { kind: 'asked', reply: `43${id}[true]` };
  },
};
const SOCKETIO_NOTE = Buffer.from('42["note');

export const DIALECTS = { anonymous, user, secure, plain, nest, socketio };
