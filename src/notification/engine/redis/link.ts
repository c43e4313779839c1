/**
 * The connections to Redis: one for commands, one for pub/sub (in Cluster mode one of each per master).
 *
 *  1. Nothing is sent twice: there is no queue of commands while Redis is away, and what was under way when a connection
 *     broke is rejected. (A script that Redis said it does not know, or that another master has to run, has not run.)
 *  2. Every call ends within the deadline, as `EngineUnavailableError` if need be; whether a write was carried out is then
 *     unknown, and repeating it with the same id is safe.
 *  3. Subscriptions come back by themselves; `onReady` says that they had been away.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, createCluster } from 'redis';
import { EngineUnavailableError, StoreFullError } from '../../notification.errors.js';
import type { Reply } from './records.js';
import { slotOf } from './partitions.js';
import type { Script } from './scripts/script.js';

export type RedisUrl = string | { cluster: string[] };

export interface Logger {
  warn(message: string): void;
  error(message: string): void;
}

export interface LinkOptions {
  url: RedisUrl;
  timeoutMs: number;
  waitReplicas: number;
  logger: Logger;
  /** A connection is there (again): whatever was published before may have been missed. */
  onReady(): void;
}

/** Nothing for so long on a connection that carries something every second: it is dead. */
const SILENT_MS = 5000;
const SUBSCRIBE_AGAIN_MS = 50;
const RECONNECT_MS = { shortest: 50, longest: 1000 };

type Client = ReturnType<typeof newClient>;
type Cluster = ReturnType<typeof newCluster>;
type Listener = (message: string) => void;

/** What differs between one server and a cluster. */
interface Wires {
  connect(): Promise<unknown>;
  /** @param key where to */
  send(key: string, args: string[]): Promise<Reply>;
  /** On the connection that `send` uses for the key. */
  wait(key: string, args: string[]): Promise<Reply>;
  subscribe(channels: string[], listener: Listener): Promise<unknown>;
  unsubscribe(channel: string, listener: Listener): Promise<unknown>;
  /** One key of every master's, for what has to be asked of all. */
  everyMaster(args: string[]): Promise<Reply[]>;
  destroy(): void;
}

export class RedisLink {
  private readonly wires: Wires;
  private readonly inFlight = new Set<Promise<unknown>>();
  private closed = false;
  private complained = '';

  constructor(private readonly options: LinkOptions) {
    const onError = (error: unknown): void => this.complain(error);
    const onReady = (): void => {
      this.complained = '';
      options.onReady();
    };
    this.wires =
      typeof options.url === 'string'
        ? singleWires(options.url, onReady, onError)
        : clusterWires(options.url.cluster, onReady, onError);
  }

  async connect(): Promise<void> {
    await this.bounded(this.wires.connect());
  }

  /** Runs a script on a partition (or the nodes' own root). */
  run(script: Script, root: string, ...args: (string | number)[]): Promise<Reply> {
    return this.call(async () => {
      const texts = args.map(String);
      const replying = this.evaluate(script, root, texts);
      return script.counts && this.options.waitReplicas > 0 ? this.replicated(root, replying) : replying;
    });
  }

  /**
   * Tried again within the deadline: a connection for pub/sub that broke is soon back, and nothing is written twice.
   * @throws EngineUnavailableError while subscribing does not succeed
   */
  async subscribe(channels: string[], listener: Listener): Promise<void> {
    const until = Date.now() + this.options.timeoutMs - SUBSCRIBE_AGAIN_MS;
    await this.call(async () => {
      for (;;) {
        try {
          return await this.wires.subscribe(channels, listener);
        } catch (error) {
          if (Date.now() >= until) throw error;
          await delay(SUBSCRIBE_AGAIN_MS);
        }
      }
    });
  }

  async unsubscribe(channel: string, listener: Listener): Promise<void> {
    await this.call(() => this.wires.unsubscribe(channel, listener));
  }

  /** Of every master. */
  ask(...args: string[]): Promise<Reply[]> {
    return this.call(() => this.wires.everyMaster(args));
  }

  /** Lets what is under way finish, then closes. */
  async close(): Promise<void> {
    await Promise.allSettled(this.inFlight);
    this.closed = true;
    this.wires.destroy();
  }

  private async evaluate({ sha, source }: Script, root: string, args: string[]): Promise<Reply> {
    const tail = ['1', root, ...args];
    try {
      return await this.wires.send(root, ['EVALSHA', sha, ...tail]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.wires.send(root, ['EVAL', source, ...tail]);
    }
  }

  private async replicated(root: string, replying: Promise<Reply>): Promise<Reply> {
    const { waitReplicas, timeoutMs } = this.options;
    const reply = await replying;
    const reached = Number(await this.wires.wait(root, ['WAIT', String(waitReplicas), String(Math.ceil(timeoutMs * 0.9))]));
    if (reached < waitReplicas)
      throw new EngineUnavailableError(`only ${reached} of ${waitReplicas} replicas have it; repeating the call is safe`);
    return reply;
  }

  private call<T>(work: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new EngineUnavailableError('the engine is closed'));
    const running = this.bounded(work());
    this.inFlight.add(running);
    const done = (): void => void this.inFlight.delete(running);
    running.then(done, done);
    return running;
  }

  private bounded<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { timeoutMs } = this.options;
      const timer = setTimeout(
        () => reject(new EngineUnavailableError(`Redis has not answered within ${timeoutMs} ms`)),
        timeoutMs,
      );
      work.then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(translated(error));
        },
      );
    });
  }

  private complain(error: unknown): void {
    if (this.closed) return;
    const message = `Redis: ${error instanceof Error ? error.message || error.name : String(error)}`;
    if (message !== this.complained) this.options.logger.warn(message);
    this.complained = message;
  }
}

function translated(error: unknown): Error {
  if (error instanceof EngineUnavailableError) return error;
  const message = error instanceof Error ? error.message || error.name : String(error);
  return message.startsWith('OOM') ? new StoreFullError(error) : new EngineUnavailableError(`Redis: ${message}`, error);
}

const SETTINGS = {
  // Its own time-out costs five times ours.
  commandOptions: { timeout: 0 },
  disableOfflineQueue: true,
  RESP: 3,
} as const;
const SOCKET = {
  connectTimeout: 2000,
  socketTimeout: SILENT_MS,
  reconnectStrategy: (retries: number): number =>
    Math.min(RECONNECT_MS.shortest * 2 ** retries, RECONNECT_MS.longest) * (0.75 + Math.random() / 2),
} as const;

function newClient(url: string) {
  return createClient({ ...SETTINGS, url, socket: SOCKET });
}

function newCluster(urls: string[]) {
  return createCluster({
    rootNodes: urls.map((url) => ({ url })),
    defaults: { ...SETTINGS, socket: SOCKET },
    commandOptions: SETTINGS.commandOptions,
    RESP: SETTINGS.RESP,
  });
}

function singleWires(url: string, onReady: () => void, onError: (error: unknown) => void): Wires {
  const commands: Client = newClient(url);
  const subscriber: Client = newClient(url);
  commands.on('error', onError);
  subscriber.on('error', onError).on('ready', onReady);
  const send = (_key: string, args: string[]): Promise<Reply> => commands.sendCommand(args);
  return {
    connect: () => Promise.all([commands.connect(), subscriber.connect()]),
    send,
    wait: send,
    subscribe: (channels, listener) => subscriber.sSubscribe(channels, listener),
    unsubscribe: (channel, listener) => subscriber.sUnsubscribe(channel, listener),
    everyMaster: async (args) => [await commands.sendCommand(args)],
    destroy: () => {
      commands.destroy();
      subscriber.destroy();
    },
  };
}

function clusterWires(urls: string[], onReady: () => void, onError: (error: unknown) => void): Wires {
  const cluster: Cluster = newCluster(urls);
  cluster.on('error', onError).on('node-error', onError).on('node-ready', onReady);
  const masterOf = (key: string) => {
    const master = cluster.slots[slotOf(key)]?.master;
    if (!master) throw new EngineUnavailableError(`Redis Cluster serves no slot for ${key}`);
    return cluster.nodeClient(master);
  };
  return {
    connect: () => cluster.connect(),
    send: (key, args) => cluster.sendCommand(key, false, args),
    wait: async (key, args) => (await masterOf(key)).sendCommand(args),
    subscribe: (channels, listener) => cluster.sSubscribe(channels, listener),
    unsubscribe: (channel, listener) => cluster.sUnsubscribe(channel, listener),
    everyMaster: (args) =>
      Promise.all(cluster.masters.map(async (master): Promise<Reply> => (await cluster.nodeClient(master)).sendCommand(args))),
    destroy: () => cluster.destroy(),
  };
}
