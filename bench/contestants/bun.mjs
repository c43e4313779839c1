/** Bun's own server, which is uWebSockets: what the machine allows without JavaScript on the way. */
import { compete } from '../harness/contest.mjs';

const server = globalThis.Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
  fetch: (request, own) => (own.upgrade(request) ? undefined : new globalThis.Response('', { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    open: (socket) => socket.subscribe('all'),
    message: () => undefined,
  },
});

compete({ broadcast: (message) => void server.publish('all', JSON.stringify(message)) });
