/** Socket.IO 4 as its documentation sets it up: a room for each user, HTTP to publish. RECOVERY=on keeps connection state. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

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
  ...(process.env['RECOVERY'] === 'on' && { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } }),
});
io.on('connection', (socket) => void socket.join(socket.handshake.auth.user));
http.listen({ host: '127.0.0.1', port: Number(process.env['PORT']), backlog: 8192 }, () => process.stdout.write('listening\n'));
