/**
 * Socket.IO 4 as its documentation sets it up: a room for each user, HTTP to publish. RECOVERY=on keeps connection state;
 * REDIS_URL makes it a node of several, with the Redis Streams adapter.
 */
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const { PORT, RECOVERY, REDIS_URL } = process.env;
const redis = REDIS_URL === undefined ? undefined : await createClient({ url: REDIS_URL }).connect();

const http = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => {
    const user = /^\/users\/(.+)$/.exec(request.url ?? '')?.[1];
    (user === undefined ? io : io.to(user)).emit('note', JSON.parse(text));
    response.writeHead(202).end('{}');
  });
});
const io = new Server(http, {
  transports: ['websocket'],
  ...(redis && { adapter: createAdapter(redis, { maxLen: 100_000 }) }),
  ...(RECOVERY === 'on' && { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } }),
});
io.on('connection', (socket) => void socket.join(socket.handshake.auth.user));
http.listen({ host: '127.0.0.1', port: Number(PORT), backlog: 8192 }, () => process.stdout.write('listening\n'));
