/**
 * The clients of one contestant of `nodes.mjs`, in a process of their own: bare WebSockets that speak either protocol, the
 * same number for everybody. They look at what comes just enough to count it.
 */
import { env, hrtime } from 'node:process';
import { setInterval, clearInterval, setTimeout, clearTimeout } from 'node:timers';
import { WebSocket } from 'ws';

const now = () => Number(hrtime.bigint()) / 1e6;
const counts = { notes: 0, prompts: 0 };
const prompts = [];
let wanted = { what: 'notes', count: Infinity, reached: () => undefined };

function count(what) {
  counts[what] += 1;
  if (what === wanted.what && counts[what] === wanted.count) wanted.reached();
}

const ours = {
  path: '/ws',
  onOpen: (socket, user) => socket.send(JSON.stringify({ action: 'subscribe', user_id: user })),
  onText(socket, text, ready) {
    if (text.includes('"type":"note"')) return count('notes');
    const frame = JSON.parse(text);
    if (frame.type === 'task_step_result') {
      const { callback_id } = frame;
      prompts.push(() => socket.send(JSON.stringify({ action: 'confirm', callback_id, proceed: true, feedback: String(now()) })));
      count('prompts');
    } else if (frame.type === 'subscription_confirmed') ready();
  },
};

/** Engine.IO 4 and Socket.IO 5 over WebSocket alone. */
const socketIo = {
  path: '/socket.io/?EIO=4&transport=websocket',
  onOpen: () => undefined,
  onText(socket, text, ready, user) {
    if (text.startsWith('42["note"')) return count('notes');
    if (text.startsWith('0')) socket.send(`40${JSON.stringify({ user })}`);
    else if (text.startsWith('40')) ready();
    else if (text === '2') socket.send('3');
    else if (text.startsWith('42')) {
      const id = /^42(\d+)/.exec(text)?.[1];
      prompts.push(() => socket.send(`43${id}[${now()}]`));
      count('prompts');
    }
  },
};

const protocol = env['KIND'] === 'ours' ? ours : socketIo;

const connect = (port, user) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${protocol.path}`, { perMessageDeflate: false });
    socket.once('open', () => protocol.onOpen(socket, user));
    socket.on('message', (data) => protocol.onText(socket, data.toString(), resolve, user));
    socket.once('error', reject);
    socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
  });

const commands = {
  async connect({ port, users }) {
    for (let start = 0; start < users.length; start += 50)
      await Promise.all(users.slice(start, start + 50).map((user) => connect(port, user)));
  },
  /** Counts anew. */
  reset() {
    counts.notes = 0;
    counts.prompts = 0;
  },
  /** How many have come, at once when it is so many, at the latest after a while. */
  arrived: ({ what, count: goal, withinMs }) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(counts[what]), withinMs);
      const reached = () => {
        clearTimeout(timer);
        resolve(counts[what]);
      };
      if (counts[what] >= goal) reached();
      else wanted = { what, count: goal, reached };
    }),
  /** Answers, one after the other, prompts taken from all over. */
  answer: ({ count: goal, everyMs }) =>
    new Promise((resolve) => {
      let left = goal;
      const timer = setInterval(() => {
        const [answer] = prompts.splice(Math.floor(Math.random() * prompts.length), 1);
        answer?.();
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        resolve();
      }, everyMs);
    }),
};

process.on('message', ({ id, command, ...args }) => {
  Promise.resolve(commands[command](args)).then(
    (result) => process.send({ id, result }),
    (error) => process.send({ id, error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit());
