/**
 * Socket.IO 4 as its documentation sets it up: a room for each user, and `emitWithAck` where a person answers. ADAPTER
 * (`pubsub` or `streams`) and REDIS_URL make it one node of several; RECOVERY keeps the state of connections that are gone.
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { compete } from '../harness/contest.mjs';

const { ADAPTER, REDIS_URL, RECOVERY, PORT } = process.env;

async function adapterOf(kind) {
  const { createClient } = await import('redis');
  const client = await createClient({ url: REDIS_URL }).connect();
  if (kind === 'streams') return (await import('@socket.io/redis-streams-adapter')).createAdapter(client, { maxLen: 100_000 });
  return (await import('@socket.io/redis-adapter')).createAdapter(client, await client.duplicate().connect());
}

const http = createServer();
const adapter = ADAPTER === undefined ? {} : { adapter: await adapterOf(ADAPTER) };
const recovery = RECOVERY === undefined ? {} : { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } };
const io = new Server(http, { transports: ['websocket'], ...adapter, ...recovery });
io.on('connection', (socket) => void socket.join(socket.handshake.auth.user));
await new Promise((resolve) => http.listen({ host: '127.0.0.1', port: Number(PORT), backlog: 8192 }, resolve));

compete({
  broadcast: (message) => void io.emit('note', message),
  toUser: (user, message) => void io.to(user).emit('note', message),
  ask: (user, n) =>
    io.to(user).timeout(600_000).emitWithAck('question', { step: n, message: 'Deploy build 4711 to production?' }),
});
