/** One contestant at work: its server and its clients, each in a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTESTANTS } from '../contestants/index.mjs';
import { Child, MEASURED, OTHERS } from './process.mjs';

export class Stand {
  connections = 0;

  /** @param key of `CONTESTANTS` */
  constructor(key, env = {}) {
    this.key = key;
    this.contestant = CONTESTANTS[key];
    this.env = env;
  }

  async start() {
    this.folder = mkdtempSync(join(tmpdir(), 'bench-'));
    const { script, flags, runtime, env, dialect } = this.contestant;
    const data = env?.WEBSOCKET_DATA_DIR === undefined ? { WEBSOCKET_DATA_DIR: this.folder } : {};
    this.server = new Child({ core: MEASURED, script, flags, runtime, env: { ...env, ...data, ...this.env } });
    this.clients = new Child({ core: OTHERS, script: 'harness/receivers.mjs', env: { DIALECT: dialect } });
    const [{ port }] = await Promise.all([this.server.ready, this.clients.ready]);
    this.port = port;
    return this;
  }

  /** Until there are `count` connections, each of a user of its own. */
  async connect(count) {
    await this.clients.call('connect', { port: this.port, from: this.connections, to: count });
    this.connections = count;
  }

  async drop() {
    await this.clients.call('drop');
    this.connections = 0;
  }

  get users() {
    return Array.from({ length: this.connections }, (_, n) => `user-${n}`);
  }

  /** @returns the processor time of the server so far, in microseconds */
  async cpu() {
    const { user, system } = await this.server.call('resources');
    return { user, total: user + system };
  }

  async close() {
    await Promise.all([this.clients?.kill(), this.server?.end()]);
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts one stand for each contestant, runs `work` with all of them alive, and ends them. */
export async function withStands(keys, work, create = (key) => new Stand(key)) {
  const stands = keys.map(create);
  try {
    for (const stand of stands) await stand.start();
    return await work(stands);
  } finally {
    await Promise.all(stands.map((stand) => stand.close()));
  }
}
