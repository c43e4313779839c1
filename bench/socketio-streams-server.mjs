/** A node of Socket.IO 4 with the Redis Streams adapter and connection state recovery, as their documentation sets it up. */
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const redis = createClient({ url: process.env['REDIS_URL'] });
await redis.connect();
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
  adapter: createAdapter(redis, { maxLen: 100_000 }),
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
});
io.on('connection', (socket) => void socket.join(socket.handshake.auth.user));
http.listen({ host: '127.0.0.1', port: Number(process.env['PORT']), backlog: 8192 }, () => process.stdout.write('listening\n'));
