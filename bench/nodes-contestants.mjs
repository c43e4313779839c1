/** Three nodes of a contestant on a Redis of its own, and its clients, each in a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './contestants.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** The same for all; ours refuses a Redis that keeps nothing. `appendfsync everysec` is Redis' default. */
export const REDIS_ARGS = ['--appendonly', 'yes', '--save', ''];

export const redisVersion = () => /v=(\S+)/.exec(spawnSync('redis-server', ['--version']).stdout?.toString() ?? '')?.[1];

/** A child that takes commands by IPC. */
class Worker {
  #last = 0;
  #calls = new Map();

  constructor(script, env, execArgv = []) {
    const { PATH } = process.env;
    this.child = spawn(process.execPath, [...execArgv, here(script)], {
      env: { PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.child.once('exit', (code) => {
      for (const { reject } of this.#calls.values()) reject(new Error(`${script} ended with ${code}`));
    });
  }

  do(command, args = {}) {
    return new Promise((resolve, reject) => {
      const id = (this.#last += 1);
      this.#calls.set(id, { resolve, reject });
      this.child.send({ id, command, ...args });
    });
  }

  /** What it writes before it is ready. */
  said(pattern) {
    return new Promise((resolve, reject) => {
      let text = '';
      this.child.stdout.on('data', (data) => {
        text += data;
        const found = pattern.exec(text);
        if (found) resolve(found);
      });
      this.child.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
    });
  }

  async end() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    // A disconnected child exits by itself, so that a profile is written.
    this.child.disconnect();
    await ended;
  }
}

export class Trio {
  nodes = [];

  constructor(kind, name) {
    this.kind = kind;
    this.name = name;
    this.folder = mkdtempSync(join(tmpdir(), 'bench-nodes-'));
  }

  async start(usersPerNode, execArgv) {
    const port = await freePort();
    this.redis = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--dir', this.folder, ...REDIS_ARGS].map(String), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve, reject) => {
      this.redis.once('error', reject);
      this.redis.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
      this.redis.stdout.on('data', (data) => data.toString().includes('Ready to accept connections') && resolve());
    });
    const env = {
      KIND: this.kind,
      WEBSOCKET_ENGINE: 'redis',
      WEBSOCKET_REDIS_URL: `redis://127.0.0.1:${port}`,
      WEBSOCKET_HOST: '127.0.0.1',
      WEBSOCKET_PORT: '0',
      WEBSOCKET_MAX_CONNECTIONS: '20000',
      WEBSOCKET_LOG_LEVEL: 'error',
    };
    this.clients = new Worker('nodes-clients.mjs', env);
    this.users = [];
    for (let index = 0; index < 3; index += 1) {
      const node = new Worker('nodes-server.mjs', env, execArgv);
      this.nodes.push(node);
      const [, own] = await node.said(/listening on (\d+)\n/);
      const users = Array.from({ length: usersPerNode }, (_, n) => `user-${index}-${n}`);
      await this.clients.do('connect', { port: Number(own), users });
      this.users.push(users);
    }
  }

  /** Processor time so far, in microseconds. */
  async cpu() {
    const each = await Promise.all(this.nodes.map((node) => node.do('cpu')));
    return { nodes: each.reduce((sum, { user, system }) => sum + user + system, 0), redis: cpuOf(this.redis.pid) };
  }

  async close() {
    await Promise.all([...this.nodes, this.clients].map((worker) => worker?.end()));
    if (this.redis?.exitCode === null) {
      const ended = once(this.redis, 'exit');
      this.redis.kill('SIGKILL');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Of all threads of a process: the kernel's account in nanoseconds. */
function cpuOf(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const spent = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  return spent.reduce((sum, each) => sum + each, 0) / 1000;
}
