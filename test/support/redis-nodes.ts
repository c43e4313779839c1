/** Nodes of the Redis engine in this process, on one Redis (or cluster), each able to die alone. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, EngineHandler, EngineSettings } from '../../src/notification/engine/engine.js';
import { RedisEngine, type RedisEngineOptions } from '../../src/notification/engine/redis/redis-engine.js';
import type { RedisNode } from '../../src/notification/engine/redis/redis-node.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { EngineRecorder } from './engine-recorder.js';
import { SETTINGS } from './engine-folder.js';
import { TcpProxy } from './tcp-proxy.js';

/** Few, so that a test meets each of them. */
export const PARTITIONS = 4;

export interface Node {
  engine: RedisEngine;
  recorder: EngineRecorder;
  /** Between the node and Redis, where it was asked for. */
  proxy?: TcpProxy;
}

/** Makes nodes, and closes those that are left. */
export class RedisNodes {
  private readonly nodes: { engine: Engine; proxy?: TcpProxy }[] = [];
  readonly log: string[] = [];

  constructor(
    private readonly url: RedisEngineOptions['url'],
    private readonly options: Partial<RedisEngineOptions> = {},
  ) {}

  async start(
    settings: Partial<EngineSettings> = {},
    options: Partial<RedisEngineOptions> & { proxied?: boolean } = {},
  ): Promise<Node> {
    const recorder = new EngineRecorder();
    const node = await this.startWith(recorder, settings, options);
    await node.engine.replayDecisions();
    return { ...node, recorder };
  }

  async startWith(
    handler: EngineHandler,
    settings: Partial<EngineSettings> = {},
    { proxied = false, ...options }: Partial<RedisEngineOptions> & { proxied?: boolean } = {},
  ): Promise<{ engine: RedisEngine; proxy?: TcpProxy }> {
    const proxy =
      proxied && typeof this.url === 'string' ? await TcpProxy.start({ port: Number(new URL(this.url).port) }) : undefined;
    const engine = new RedisEngine({
      url: proxy ? `redis://127.0.0.1:${proxy.port}` : this.url,
      settings: { ...SETTINGS, ...settings },
      partitions: PARTITIONS,
      logger: { warn: (message) => this.log.push(message), error: (message) => this.log.push(message) },
      ...this.options,
      ...options,
    });
    const node = { engine, ...(proxy && { proxy }) };
    this.nodes.push(node);
    await engine.start(handler);
    return node;
  }

  /** As `kill -9` would take it: its connections break, and it cannot say good-bye. */
  async kill({ engine, proxy }: { engine: Engine; proxy?: TcpProxy }): Promise<void> {
    if (!proxy) throw new Error('only a node behind a proxy can be killed');
    await proxy.close();
    await engine.close();
  }

  /** The same for a node whose connections no proxy holds: from now on nothing of it reaches Redis. */
  async cutOff(engine: RedisEngine): Promise<void> {
    await (engine as unknown as { node: RedisNode }).node.connections.close();
    await engine.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ engine }) => engine.close()));
    for (const { proxy } of this.nodes) await proxy?.close();
    this.nodes.length = 0;
  }
}

/** Repeats a call, as a caller may, while the engine says that it is away. */
export async function untilAvailable<T>(work: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await work();
    } catch (error) {
      expect(error).toBeInstanceOf(EngineUnavailableError);
      await delay(5);
    }
}
