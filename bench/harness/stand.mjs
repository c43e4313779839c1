/** One contestant at work: its server and its clients, each in a process of its own. */
import { Child, OTHERS } from './process.mjs';
import { Server } from './server.mjs';

export class Stand {
  connections = 0;

  /** @param key of `CONTESTANTS` */
  constructor(key, env) {
    this.key = key;
    this.server = new Server(key, env);
  }

  async start() {
    const { dialect } = this.server.contestant;
    this.clients = new Child({ core: OTHERS, script: 'harness/receivers.mjs', env: { DIALECT: dialect } });
    await Promise.all([this.server.start(), this.clients.ready]);
    return this;
  }

  /** Until there are `count` connections, each of a user of its own. */
  async connect(count) {
    await this.clients.call('connect', { port: this.server.port, from: this.connections, to: count });
    this.connections = count;
  }

  async drop() {
    await this.clients.call('drop');
    this.connections = 0;
  }

  get users() {
    return Array.from({ length: this.connections }, (_, n) => `user-${n}`);
  }

  cpu() {
    return this.server.cpu();
  }

  async close() {
    await Promise.all([this.clients?.kill(), this.server.close()]);
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
