/**
 * One node of a contestant of `nodes.mjs`, as an application would have it: the load starts within the node's own process,
 * by a call. KIND says whose; the parent drives it by IPC.
 */
import { env, hrtime, stdout } from 'node:process';
import { setInterval, clearInterval } from 'node:timers';
import { createServer } from 'node:http';

/** The one clock that all processes of a machine share, in milliseconds. */
const now = () => Number(hrtime.bigint()) / 1e6;

/** The service, on the Redis engine; a caller of `notifyUser` waits for the stored decision. */
async function ours() {
  const { startApp, portOf } = await import('../dist/app/app.js');
  const { readConfig } = await import('../dist/app/app.config.js');
  const { NotificationService } = await import('../dist/notification/index.js');
  const app = await startApp(readConfig(env));
  const service = app.get(NotificationService);
  return {
    port: portOf(app.getHttpServer()),
    toUser: (user, message) => service.sendToUser(user, message),
    broadcast: (message) => service.broadcastMessage(message),
    ask: async (user, n) => {
      const question = { step: String(n), message: 'Go on?', status: 'done' };
      return Number((await service.notifyUser(question, user, `task-${user}`, n, { timeoutMs: 600_000 })).feedback);
    },
  };
}

/** Socket.IO as its documentation sets it up, with a room for each user; a caller of `emitWithAck` waits, nothing is stored. */
async function socketIo(kind) {
  const { Server } = await import('socket.io');
  const { createClient } = await import('redis');
  const client = createClient({ url: env['WEBSOCKET_REDIS_URL'] });
  await client.connect();
  let adapter;
  if (kind === 'streams') {
    const { createAdapter } = await import('@socket.io/redis-streams-adapter');
    adapter = createAdapter(client);
  } else {
    const { createAdapter, createShardedAdapter } = await import('@socket.io/redis-adapter');
    const subscriber = client.duplicate();
    await subscriber.connect();
    adapter = (kind === 'sharded' ? createShardedAdapter : createAdapter)(client, subscriber);
  }
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'], adapter });
  io.on('connection', (socket) => void socket.join(socket.handshake.auth.user));
  await new Promise((resolve) => http.listen({ host: '127.0.0.1', port: 0, backlog: 8192 }, resolve));
  return {
    port: http.address().port,
    toUser: (user, message) => io.to(user).emit('note', message),
    broadcast: (message) => io.emit('note', message),
    ask: async (user, n) => Number((await io.to(user).timeout(600_000).emitWithAck('question', { step: n }))[0]),
  };
}

const node = await (env['KIND'] === 'ours' ? ours() : socketIo(env['KIND']));
const waits = [];

/** So many calls at a time, evenly, however long each takes; resolves when every call has. */
function pace({ count, burst, everyMs }, call) {
  return new Promise((resolve, reject) => {
    const calls = [];
    const timer = setInterval(() => {
      for (let left = burst; left > 0 && calls.length < count; left -= 1) calls.push(call(calls.length));
      if (calls.length < count) return;
      clearInterval(timer);
      Promise.all(calls).then(() => resolve(), reject);
    }, everyMs);
  });
}

const commands = {
  cpu: () => process.cpuUsage(),
  toUsers: ({ users, message, ...load }) => pace(load, (n) => node.toUser(users[n % users.length], { ...message, n })),
  broadcast: ({ message, ...load }) => pace(load, (n) => node.broadcast({ ...message, n })),
  /** Asks, and remembers how long after an answer was sent the caller here had it. */
  ask: ({ users, ...load }) =>
    pace(load, (n) => {
      node.ask(users[n % users.length], n).then((sentAt) => waits.push(now() - sentAt));
    }),
  waits: () => waits.splice(0),
};

process.on('message', ({ id, command, ...args }) => {
  Promise.resolve(commands[command](args)).then(
    (result) => process.send({ id, result }),
    (error) => process.send({ id, error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit());
stdout.write(`listening on ${node.port}\n`);
