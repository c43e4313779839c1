/**
 * Several nodes of the real program on one real Redis that syncs every write. A node can be killed while the others live;
 * Redis can be killed, frozen, or lose its pub/sub connections. `node()` gives them by turns: who comes back comes to
 * another one.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startProcess, type ServiceProcess } from '../../support/process.js';
import type { Recorder } from '../recorder.js';
import { RedisServer } from '../../support/redis.js';
import { TestClient } from '../../support/client.js';
import { NO_RATE_LIMIT, type Node, type Site } from './single-node.js';

/** After so long without Redis deadlines that passed meanwhile are missed ones, on the slowest machine. */
const MISSED_MS = 4000;

interface Slot {
  name: string;
  process?: ServiceProcess;
  /** While it runs. */
  node?: Node;
}

export interface RedisSiteOptions {
  /** @default 3 */
  nodes?: number;
  environment?: Record<string, string>;
}

export class RedisSite implements Site {
  /** How long each start of a node took until it was ready. */
  readonly startMs: number[] = [];
  /** How long it took from Redis' being there again until every node was ready, and until every node took a subscriber. */
  readonly readyMs: number[] = [];
  readonly healedMs: number[] = [];
  private readonly slots: Slot[];
  private turn = 0;
  private toKill = 0;

  private constructor(
    private readonly recorder: Recorder,
    readonly redis: RedisServer,
    count: number,
    private readonly environment: Record<string, string>,
  ) {
    this.slots = Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}` }));
  }

  static async create(recorder: Recorder, { nodes = 3, environment = {} }: RedisSiteOptions = {}): Promise<RedisSite> {
    const redis = await RedisServer.start({ settings: { appendfsync: 'always' } });
    const site = new RedisSite(recorder, redis, nodes, environment);
    try {
      await Promise.all(site.slots.map((slot) => site.start(slot)));
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  /** Those that run. */
  get nodes(): readonly Node[] {
    return this.slots.flatMap(({ node }) => node ?? []);
  }

  async node(): Promise<Node> {
    for (;;) {
      const { nodes } = this;
      const node = nodes[this.turn++ % nodes.length];
      if (node) return node;
      await pause(10); // one is starting
    }
  }

  /** `kill -9` of the node whose turn it is, and its start, while the others live. */
  async restart(downMs: number): Promise<void> {
    const slot = this.slots[this.toKill++ % this.slots.length];
    if (!slot) throw new RangeError('a site without nodes');
    await this.kill(slot);
    await pause(downMs);
    await this.start(slot);
  }

  /** Takes Redis away, and gives it back when `meanwhile` has ended and everything is as before. */
  async withoutRedis(how: 'killed' | 'frozen', meanwhile: () => Promise<unknown>): Promise<void> {
    const since = Date.now();
    this.recorder.record({ kind: 'away', at: since });
    if (how === 'frozen') this.redis.pause();
    else await this.redis.kill9();
    try {
      await meanwhile();
    } finally {
      if (how === 'frozen') this.redis.resume();
      else await this.redis.restart();
    }
    const at = Date.now();
    await Promise.all(this.nodes.map(untilReady));
    this.readyMs.push(Date.now() - at);
    await Promise.all(this.nodes.map(untilSubscribed));
    this.healedMs.push(Date.now() - at);
    this.recorder.record({ kind: 'back', at, missed: at - since > MISSED_MS });
  }

  async killPubSub(): Promise<void> {
    await this.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }

  async close(): Promise<void> {
    await Promise.all(this.slots.map((slot) => this.kill(slot)));
    await this.redis.stop();
  }

  private async kill(slot: Slot): Promise<void> {
    if (!slot.process) return;
    this.recorder.record({ kind: 'stopping', node: slot.name });
    slot.node = undefined;
    await slot.process.stop('SIGKILL');
    slot.process = undefined;
    this.recorder.record({ kind: 'stopped', node: slot.name, at: Date.now() });
  }

  private async start(slot: Slot): Promise<void> {
    const began = Date.now();
    this.recorder.record({ kind: 'starting', node: slot.name, at: began });
    slot.process = await startProcess({
      WEBSOCKET_ENGINE: 'redis',
      WEBSOCKET_REDIS_URL: this.redis.url,
      WEBSOCKET_LOG_LEVEL: 'info',
      WEBSOCKET_COMPRESSION: 'off',
      WEBSOCKET_MAX_CONNECTIONS: '20000',
      WEBSOCKET_RATE_LIMIT: NO_RATE_LIMIT,
      ...this.environment,
    });
    const { url, wsUrl } = slot.process;
    const node = { name: slot.name, url, wsUrl };
    await untilReady(node);
    this.startMs.push(Date.now() - began);
    slot.node = node;
  }
}

export async function isReady({ url }: Node): Promise<boolean> {
  const response = await fetch(`${url}/health/ready`);
  await response.arrayBuffer();
  return response.status === 200;
}

async function untilReady(node: Node): Promise<void> {
  while (!(await isReady(node))) await pause(10);
}

/** Its connection for pub/sub is there as well. */
async function untilSubscribed({ wsUrl }: Node): Promise<void> {
  const client = await TestClient.connect(`${wsUrl}/ws`);
  while ((await client.request({ action: 'subscribe', user_id: 'probe' })).type === 'error') await pause(10);
  await client.close();
}
