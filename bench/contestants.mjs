/** The servers, each in a process of its own, and a client for each, behind one interface. */
import { performance } from 'node:perf_hooks';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setInterval, clearInterval, setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { fetch } = globalThis;

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

class Contestant {
  port = 0;

  constructor(name) {
    this.name = name;
    this.folder = mkdtempSync(join(tmpdir(), 'bench-'));
  }

  /** On the same port every time, all with the young generation that `npm start` gives ours. @returns when it listens */
  async start() {
    this.port ||= await freePort();
    const { script, environment } = this.program();
    const { PATH } = process.env;
    this.child = spawn(process.execPath, ['--max-semi-space-size=64', '--import', here('probe.mjs'), script], {
      env: { PATH, ...environment },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    await new Promise((resolve, reject) => {
      this.child.once('exit', (code) => reject(new Error(`${this.name} ended with ${code}`)));
      this.child.stdout.on('data', (data) => data.toString().includes('listening') && resolve());
    });
    this.child.removeAllListeners('exit');
    return performance.now();
  }

  async kill() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  async close() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Processor time so far, in microseconds. */
  async cpu() {
    const told = once(this.child, 'message');
    this.child.send('cpu');
    const [{ user, system }] = await told;
    return user + system;
  }

  async post(path, body) {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${this.name}: ${path} was answered ${response.status}`);
  }
}

export class Ours extends Contestant {
  constructor() {
    super('ours');
  }

  program() {
    const environment = {
      WEBSOCKET_HOST: '127.0.0.1',
      WEBSOCKET_PORT: String(this.port),
      WEBSOCKET_DATA_DIR: this.folder,
      WEBSOCKET_MAX_CONNECTIONS: '20000',
    };
    return { script: here('../dist/main.js'), environment };
  }

  broadcast(message) {
    return this.post('/ws/broadcast', message);
  }

  toUser(user, message) {
    return this.post(`/ws/users/${user}/messages`, message);
  }

  ask(user) {
    return this.post('/ws/confirmations', {
      user_id: user,
      task_id: user,
      step: 1,
      step_result: { message: 'Go on?' },
      timeout: 3600,
    });
  }

  /** @param pauseMs before coming back; `onBack` is called when the user's state is whole again */
  client({ user, port, pauseMs, onMessage, onBack, prompts = 0 }) {
    const positions = new Map();
    let stopped = false;
    let socket;
    const live = () => {
      let confirmed = false;
      let shown = 0;
      const recovering = new Set(positions.keys());
      const isBack = () => confirmed && recovering.size === 0 && shown >= prompts && onBack?.();
      socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { perMessageDeflate: false });
      const own = socket;
      let alive = true;
      const watch = setInterval(() => {
        if (own.readyState !== WebSocket.OPEN) return;
        if (!alive) return own.terminate();
        alive = false;
        own.ping();
      }, 25_000);
      own.on('pong', () => (alive = true));
      own.on('open', () => {
        const channels = [`user:${user}`, 'broadcast'].map((channel) => ({ channel, recover: positions.get(channel) }));
        own.send(JSON.stringify({ action: 'subscribe', channels }));
      });
      const open = new Set();
      own.on('message', (data) => {
        const frame = JSON.parse(data);
        const { channel, type, epoch, offset } = frame;
        if (type === 'task_step_result') shown += 1;
        else if (type === 'subscription_confirmed') {
          confirmed = true;
          for (const { channel, epoch, offset } of frame.subscriptions) {
            open.add(channel);
            if (!positions.has(channel)) positions.set(channel, { epoch, offset });
          }
        } else if (type === 'recovered') {
          recovering.delete(channel);
          positions.set(channel, { epoch, offset });
        } else if (type === 'note' && open.has(channel)) {
          positions.get(channel).offset = offset;
          onMessage?.(frame);
        }
        if (type !== 'note') isBack();
      });
      own.on('error', () => undefined);
      own.once('close', () => {
        clearInterval(watch);
        if (!stopped) setTimeout(live, pauseMs());
      });
    };
    live();
    return {
      stop: () => {
        stopped = true;
        socket.terminate();
      },
    };
  }
}

export class SocketIo extends Contestant {
  constructor(recovery) {
    super(`Socket.IO 4, ${recovery ? 'connection state recovery' : 'as it comes'}`);
    this.recovery = recovery;
  }

  program() {
    return {
      script: here('socketio-server.mjs'),
      environment: { PORT: String(this.port), RECOVERY: this.recovery ? 'on' : 'off' },
    };
  }

  broadcast(message) {
    return this.post('/', message);
  }

  toUser(user, message) {
    return this.post(`/users/${user}`, message);
  }

  async ask() {
    // It has nothing that waits.
  }

  client({ user, port, delayMs, jitter, onMessage, onBack }) {
    const socket = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'],
      forceNew: true,
      auth: { user },
      reconnectionDelay: delayMs,
      reconnectionDelayMax: delayMs,
      randomizationFactor: jitter,
    });
    socket.on('note', (message) => onMessage?.(message));
    socket.on('connect', () => onBack?.());
    return { stop: () => socket.disconnect() };
  }
}
