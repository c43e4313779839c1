/**
 * Socket.IO 4 as its documentation sets it up: a room for each user, and `emitWithAck` where a person answers. ADAPTER
 * (`pubsub` or `streams`) and REDIS_URL make it one node of several.
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { compete } from '../harness/contest.mjs';

const { ADAPTER, REDIS_URL } = process.env;

async function adapterOf(kind) {
  const { createClient } = await import('redis');
  const client = await createClient({ url: REDIS_URL }).connect();
  if (kind === 'streams') return (await import('@socket.io/redis-streams-adapter')).createAdapter(client);
  return (await import('@socket.io/redis-adapter')).createAdapter(client, await client.duplicate().connect());
}

const http = createServer();
const adapter = ADAPTER === undefined ? {} : { adapter: await adapterOf(ADAPTER) };
const io = new Server(http, { transports: ['websocket'], ...adapter });
io.on('connection', (socket) => void socket.join(socket.handshake.auth.user));
await new Promise((resolve) => http.listen({ host: '127.0.0.1', port: 0, backlog: 8192 }, resolve));

compete({
  port: http.address().port,
  broadcast: (message) => void io.emit('note', message),
  toUser: (user, message) => void io.to(user).emit('note', message),
  ask: (user, n) =>
    io.to(user).timeout(600_000).emitWithAck('question', { step: n, message: 'Deploy build 4711 to production?' }),
});
