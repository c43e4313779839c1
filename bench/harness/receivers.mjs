/**
 * The clients of one contestant, in a process of their own: bare TCP sockets that count frames, and answer when asked.
 *
 * While a sender's cost is measured, this process reads every 4 ms and sleeps in between. A process that waits for its
 * sockets is woken by each write, and that wake-up is charged to the writer.
 */
import { connect } from 'node:net';
import { obey } from './child.mjs';
import { DIALECTS } from './dialects.mjs';
import { FrameReader, OPCODE, pongFrame, textFrame } from './frames.mjs';

const AT_ONCE = 50;
const cell = new Int32Array(new SharedArrayBuffer(4));
const dialect = DIALECTS[process.env.DIALECT];
const sockets = [];
const counts = { note: 0, pong: 0, asked: 0 };
let goal = { kind: 'note', count: Infinity, reached: () => undefined };
let napMs = 0;
let pings = 0;

/**
 * The kernel's search for a free port grows slow when one pair of addresses has thousands of connections. Every process has
 * addresses of its own, one for each 4,000 connections.
 */
const ownAddress = () => `127.${1 + (process.pid % 250)}.${(process.pid >> 8) % 250}.${1 + Math.floor(sockets.length / 4000)}`;

function count(kind) {
  counts[kind] += 1;
  if (kind === goal.kind && counts[kind] === goal.count) goal.reached();
}

function open(port, name) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: ownAddress() });
    socket.setNoDelay(true);
    const reader = new FrameReader((opcode, payload) => {
      if (opcode === OPCODE.ping) socket.write(pongFrame(payload));
      if (opcode === OPCODE.close) socket.destroy();
      if (opcode !== OPCODE.text) return;
      const { kind, reply } = dialect.read(payload, name);
      if (kind === 'ready') resolve();
      else if (kind !== undefined) count(kind);
      if (reply !== undefined) socket.write(textFrame(reply));
      if (kind === 'pong' && pings > 0) ping(socket);
    });
    const onHead = (chunk) => {
      const end = chunk.indexOf('\r\n\r\n');
      if (!chunk.subarray(0, 12).includes('101')) return reject(new Error(`refused: ${chunk.toString().split('\r\n')[0]}`));
      socket.off('data', onHead).on('data', (data) => reader.push(data));
      const first = dialect.first(name);
      if (first !== undefined) socket.write(textFrame(first));
      if (dialect.isReadyAtOnce) resolve();
      if (chunk.length > end + 4) reader.push(chunk.subarray(end + 4));
    };
    socket.on('data', onHead);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed by the server')));
    const lines = [
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    socket.write(
      `GET ${dialect.path(name)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines.join('\r\n')}\r\n${dialect.headers(name)}\r\n`,
    );
    sockets.push(socket);
  });
}

function ping(socket) {
  pings -= 1;
  socket.write(textFrame(dialect.ping(pings)));
}

/** Reads what is there, sleeps, and does it again. Never waits in the kernel for a socket. */
function nap() {
  if (napMs === 0) return;
  Atomics.wait(cell, 0, 0, napMs);
  setImmediate(nap);
}

obey({
  /** Connects `user-<from>` up to `user-<to - 1>`. */
  async connect({ port, from, to }) {
    for (let start = from; start < to; start += AT_ONCE) {
      const names = Array.from({ length: Math.min(AT_ONCE, to - start) }, (_, n) => `user-${start + n}`);
      await Promise.all(names.map((name) => open(port, name)));
    }
  },
  /** Counts from zero, reading every `everyMs`; 0 is as soon as something arrives. */
  reset({ everyMs }) {
    for (const kind of Object.keys(counts)) counts[kind] = 0;
    const wasAwake = napMs === 0;
    napMs = everyMs;
    if (wasAwake) nap();
  },
  /** Resolves when `count` frames of a kind have arrived since the reset, at the latest after a minute. */
  arrived: ({ kind, count: wanted }) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${counts[kind]} of ${wanted} ${kind}s arrived`)), 60_000);
      const reached = () => {
        clearTimeout(timer);
        resolve();
      };
      if (counts[kind] >= wanted) reached();
      else goal = { kind, count: wanted, reached };
    }),
  /** Sends `count` pings over the first `over` connections, `inFlight` in all: the next one when one is answered. */
  pings({ count: wanted, inFlight, over }) {
    pings = wanted;
    for (let n = 0; n < inFlight; n += 1) ping(sockets[n % over]);
  },
  /** Ends every connection with a reset, which leaves nothing behind in the kernel. */
  drop() {
    for (const socket of sockets.splice(0)) socket.resetAndDestroy();
  },
});
