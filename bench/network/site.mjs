/** What the front ends of one contestant connect to: one node, or two on one Redis behind a balancer. */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from '../harness/redis.mjs';
import { Server } from '../harness/server.mjs';
import { Balancer } from './balancer.mjs';
import { ours, socketio } from './front-ends.mjs';

/** For so long the other node is alone. */
const DEAD_FOR_MS = 5000;

export const frontEndOf = (key) => (key.startsWith('ours') ? ours : socketio);

export class OneNode {
  constructor(key) {
    this.key = key;
    this.server = new Server(key);
  }

  async start() {
    await this.server.start();
    this.port = this.server.port;
    return this;
  }

  halfway() {
    // Nothing happens to a node that is alone.
  }

  close() {
    return this.server.close();
  }
}

export class BalancedNodes {
  constructor(key) {
    this.key = key;
  }

  async start() {
    this.redis = await new Redis().start();
    const env = { WEBSOCKET_REDIS_URL: this.redis.url, REDIS_URL: this.redis.url, RECOVERY: 'on' };
    this.nodes = [new Server(this.key, env), new Server(this.key, env)];
    for (const node of this.nodes) await node.start();
    this.balancer = new Balancer(this.nodes.map(({ port }) => port));
    this.port = await this.balancer.listen();
    return this;
  }

  /** Where calls begin: the node that lives on. */
  get server() {
    return this.nodes[0];
  }

  /** Kills the other node, and starts it again. */
  async halfway() {
    await this.nodes[1].kill();
    await delay(DEAD_FOR_MS);
    await this.nodes[1].start();
  }

  async close() {
    this.balancer?.close();
    await Promise.all((this.nodes ?? []).map((node) => node.close()));
    await this.redis?.stop();
  }
}
