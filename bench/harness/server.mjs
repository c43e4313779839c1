/** One contestant's server in a process of its own, which can be killed and started again on its port and its data. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTESTANTS } from '../contestants/index.mjs';
import { freePort } from './free-port.mjs';
import { Child, MEASURED } from './process.mjs';

export class Server {
  #child;

  /** @param key of `CONTESTANTS` */
  constructor(key, env = {}) {
    this.key = key;
    this.contestant = CONTESTANTS[key];
    this.env = env;
  }

  /** @returns when it listens */
  async start() {
    this.folder ??= mkdtempSync(join(tmpdir(), 'bench-'));
    this.port ??= await freePort();
    const { script, flags, runtime, env } = this.contestant;
    const port = String(this.port);
    const own = { PORT: port, WEBSOCKET_PORT: port, WEBSOCKET_DATA_DIR: env?.WEBSOCKET_DATA_DIR ?? this.folder };
    this.#child = new Child({ core: MEASURED, script, flags, runtime, env: { ...env, ...own, ...this.env } });
    await this.#child.ready;
    return this;
  }

  call(command, args) {
    return this.#child.call(command, args);
  }

  /** @returns the processor time so far, in microseconds */
  async cpu() {
    const { user, system } = await this.call('resources');
    return { user, total: user + system };
  }

  kill() {
    return this.#child.kill();
  }

  async close() {
    await this.#child?.end();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}
