/** The bare `ws` package and the shortest loop over it: the least that a server in Node does. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { compete } from '../harness/contest.mjs';

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
const byUser = new Map();

server.on('connection', (socket, { url }) => {
  const user = new URL(url, 'ws://host').searchParams.get('user');
  byUser.set(user, socket);
  socket.on('message', (data) => {
    const frame = JSON.parse(data);
    if (frame.action === 'ping')
      socket.send(JSON.stringify({ type: 'pong', timestamp: Date.now() / 1000, original_data: frame }));
  });
  socket.on('close', () => byUser.delete(user));
});
await new Promise((resolve) => http.listen({ host: '127.0.0.1', port: Number(process.env.PORT), backlog: 8192 }, resolve));

compete({
  broadcast(message) {
    const text = JSON.stringify(message);
    for (const socket of server.clients) socket.send(text);
  },
  toUser: (user, message) => byUser.get(user)?.send(JSON.stringify(message)),
});
