/**
 * The connections to Redis: one for commands, one for pub/sub, and one for what waits for replicas (in Cluster mode one of
 * each per master).
 *
 *  1. Nothing is sent twice: there is no queue of commands while Redis is away, and what was under way when a connection
 *     broke is rejected. (A script that Redis said it does not know, that another master has to run, or that is to be tried
 *     again while its slot moves, has not run.)
 *  2. Every call ends within the deadline, as `EngineUnavailableError` if need be; whether a write was carried out is then
 *     unknown, and repeating it with the same id is safe.
 *  3. With `waitReplicas` a call that somebody counts on resolves when so many replicas have what it did.
 *  4. Subscriptions come back by themselves; `onReady` says that they had been away.
 *  5. What Redis or the network said goes to the log, and to whoever starts the service. Errors of calls, which reach
 *     clients, are in our own words.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, createCluster } from 'redis';
import { EngineUnavailableError, StoreFullError } from '../../../notification.errors.js';
import { Calls } from './call-deadline.js';
import { scriptKeys } from '../keys.js';
import type { Reply } from '../reply-decoder.js';
import { slotOf } from '../partitions.js';
import { Replicas } from './replica-wait.js';
import { READING_LEASE_MS } from '../scripts/deadlines.js';
import { MARK } from '../scripts/node.js';
import type { Script } from '../scripts/script.js';
import { monotonicMs } from '../../../pacing/monotonic.js';

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

/**
 * Nothing for so long on a connection that carries something every second: it is dead. A node that stands still cannot tell
 * its own silence from Redis': for as long as other nodes wait for it, it keeps its connections and what it has to say.
 */
const SILENT_MS = READING_LEASE_MS;
/** Between looks whether a slot has been moved. */
const MOVING_MS = 25;
const SUBSCRIBE_AGAIN_MS = 50;
/** The same reason is logged once in this time. */
const COMPLAIN_AGAIN_MS = 60_000;
const MAX_COMPLAINTS = 20;
const RECONNECT_MS = { shortest: 50, longest: 1000 };

type Client = ReturnType<typeof newClient>;
type Cluster = ReturnType<typeof newCluster>;
type Listener = (message: string) => void;

type Send = (args: string[]) => Promise<Reply>;

/** What differs between one server and a cluster. */
interface Wires {
  connect(): Promise<unknown>;
  /** @param key where to */
  send(key: string, args: string[]): Promise<Reply>;
  /** On another connection, which WAIT may hold up. */
  write(key: string, args: string[]): Promise<Reply>;
  /** The key's master, and how to send it something on the connection of `write`. */
  writer(key: string): { master: string; send: Send };
  subscribe(channels: string[], listener: Listener): Promise<unknown>;
  unsubscribe(channel: string, listener: Listener): Promise<unknown>;
  /** One key of every master's, for what has to be asked of all. */
  everyMaster(args: string[]): Promise<Reply[]>;
  destroy(): void;
}

export class RedisLink {
  private readonly wires: Wires;
  private readonly calls: Calls;
  /** By master. */
  private readonly replicas = new Map<string, Replicas>();
  private closed = false;
  /** When each reason was last logged. */
  private readonly complaints = new Map<string, number>();
  private lastReason = '';

  constructor(private readonly options: LinkOptions) {
    const { timeoutMs } = options;
    const late = (): Error => new EngineUnavailableError(`Redis has not answered within ${timeoutMs} ms`);
    this.calls = new Calls(timeoutMs, late, (error) => this.translated(error));
    const onError = (error: unknown): void => this.complain(error);
    const onReady = (): void => {
      this.complaints.clear();
      options.onReady();
    };
    this.wires =
      typeof options.url === 'string'
        ? singleWires(options.url, this.waits, onReady, onError)
        : clusterWires(options.url.cluster, this.waits, onReady, onError);
  }

  async connect(): Promise<void> {
    try {
      await this.calls.run(this.wires.connect());
    } catch (error) {
      throw new EngineUnavailableError('Redis cannot be reached', this.lastReason || error);
    }
  }

  /** Why a call failed, in the words of Redis or of the network: one line. */
  reasonOf(error: EngineUnavailableError): string {
    const { url } = this.options;
    const reason = reasonOf(error.cause ?? error);
    const isEncrypted = [typeof url === 'string' ? url : url.cluster].flat().some((each) => each.startsWith('rediss:'));
    if (isEncrypted && reason.includes('not answered')) return `${reason}; a port without TLS needs a redis:// URL`;
    if (!isEncrypted && reason.startsWith('Socket closed')) return `${reason}; a port that expects TLS needs a rediss:// URL`;
    return reason;
  }

  /** Runs a script on a partition (or the nodes' own root). */
  run(script: Script, root: string, ...args: (string | number)[]): Promise<Reply> {
    const until = monotonicMs() + this.options.timeoutMs * 0.9;
    return this.call(() =>
      whenSettled(until, () => {
        if (script.counts && this.waits) return this.replicated(script, root, args);
        return evaluate(script, root, args, (command) => this.wires.send(root, command));
      }),
    );
  }

  /** Whether calls wait for replicas. */
  get waits(): boolean {
    return this.options.waitReplicas > 0;
  }

  /** Resolves when enough replicas have what had been done to a partition before, on whichever node. */
  settled(root: string): Promise<void> {
    return this.call(() => this.replicasOf(root).have(root));
  }

  /**
   * Tried again within the deadline: a connection for pub/sub that broke is soon back, and nothing is written twice.
   * @throws EngineUnavailableError while subscribing does not succeed
   */
  async subscribe(channels: string[], listener: Listener): Promise<void> {
    const until = monotonicMs() + this.options.timeoutMs - SUBSCRIBE_AGAIN_MS;
    await this.call(async () => {
      for (;;) {
        try {
          return await this.wires.subscribe(channels, listener);
        } catch (error) {
          if (monotonicMs() >= until) throw error;
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
    await this.calls.ended();
    this.closed = true;
    this.calls.close();
    this.wires.destroy();
  }

  private async replicated(script: Script, root: string, args: readonly (string | number)[]): Promise<Reply> {
    const reply = await evaluate(script, root, args, (command) => this.wires.write(root, command));
    await this.replicasOf(root).have(root);
    return reply;
  }

  private replicasOf(root: string): Replicas {
    const { waitReplicas, timeoutMs } = this.options;
    const { master, send } = this.wires.writer(root);
    const known = this.replicas.get(master);
    if (known) return known;
    const wait = async (root: string, ms: number): Promise<number> => {
      await evaluate(MARK, root, [], send);
      return Number(await send(['WAIT', String(waitReplicas), String(ms)]));
    };
    const replicas = new Replicas({ needed: waitReplicas, patienceMs: timeoutMs * 0.9, wait });
    this.replicas.set(master, replicas);
    return replicas;
  }

  private call<T>(work: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new EngineUnavailableError('the engine is closed'));
    return this.calls.run(work());
  }

  private complain(error: unknown): void {
    if (this.closed) return;
    const reason = reasonOf(error);
    this.lastReason = reason;
    const now = monotonicMs();
    if (now - (this.complaints.get(reason) ?? -Infinity) < COMPLAIN_AGAIN_MS) return;
    if (this.complaints.size >= MAX_COMPLAINTS) this.complaints.clear();
    this.complaints.set(reason, now);
    this.options.logger.warn(`Redis: ${reason}`);
  }

  private translated(error: unknown): Error {
    if (error instanceof EngineUnavailableError) return error;
    if (saysRedis(error, 'OOM')) return new StoreFullError(error);
    this.complain(error);
    return new EngineUnavailableError('Redis could not carry out the call', error);
  }
}

function reasonOf(error: unknown): string {
  const causes = error instanceof AggregateError ? (error.errors as unknown[]).map(reasonOf).join(', ') : '';
  const text = error instanceof Error ? error.message || causes || error.name : String(error);
  return text.replace(/\s+/g, ' ').trim();
}

function evaluate({ sha, source }: Script, root: string, args: readonly (string | number)[], send: Send): Promise<Reply> {
  const keys = scriptKeys(root);
  const command = ['EVALSHA', sha, String(keys.length), ...keys];
  for (const arg of args) command.push(String(arg));
  return send(command).catch((error: unknown) => {
    if (!saysRedis(error, 'NOSCRIPT')) throw error;
    return send(['EVAL', source, ...command.slice(2)]);
  });
}

/** While the slot is being moved to another master no script of it runs; they come again until `until`. */
function whenSettled(until: number, work: () => Promise<Reply>): Promise<Reply> {
  return work().catch(async (error: unknown) => {
    if (!saysRedis(error, 'TRYAGAIN') || monotonicMs() >= until) throw error;
    await delay(MOVING_MS);
    return whenSettled(until, work);
  });
}

const saysRedis = (error: unknown, code: string): boolean => error instanceof Error && error.message.startsWith(code);

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

/** For a connection that may have nothing to carry, and is not to be taken for a dead one. */
const PINGED = { pingInterval: 1000 } as const;

function newClient(url: string, idle: Partial<typeof PINGED> = {}) {
  return createClient({ ...SETTINGS, ...idle, url, socket: { ...SOCKET } });
}

function newCluster(urls: string[], idle: Partial<typeof PINGED> = {}) {
  return createCluster({
    rootNodes: urls.map((url) => ({ url })),
    defaults: { ...SETTINGS, ...idle, socket: { ...SOCKET } },
    commandOptions: SETTINGS.commandOptions,
    RESP: SETTINGS.RESP,
  });
}

function singleWires(url: string, waits: boolean, onReady: () => void, onError: (error: unknown) => void): Wires {
  const commands: Client = newClient(url);
  const subscriber: Client = newClient(url);
  const writer: Client = waits ? newClient(url, PINGED) : commands;
  const clients = new Set([commands, subscriber, writer]);
  for (const client of clients) client.on('error', onError);
  subscriber.on('ready', onReady);
  const write: Send = (args) => writer.sendCommand(args);
  return {
    connect: () => Promise.all([...clients].map((client) => client.connect())),
    send: (_key, args) => commands.sendCommand(args),
    write: (_key, args) => write(args),
    writer: () => ({ master: url, send: write }),
    subscribe: (channels, listener) => subscriber.sSubscribe(channels, listener),
    unsubscribe: (channel, listener) => subscriber.sUnsubscribe(channel, listener),
    everyMaster: async (args) => [await commands.sendCommand(args)],
    destroy: () => {
      for (const client of clients) client.destroy();
    },
  };
}

function clusterWires(urls: string[], waits: boolean, onReady: () => void, onError: (error: unknown) => void): Wires {
  const cluster: Cluster = newCluster(urls);
  const writer: Cluster = waits ? newCluster(urls, PINGED) : cluster;
  const clusters = new Set([cluster, writer]);
  for (const each of clusters) each.on('error', onError).on('node-error', onError);
  cluster.on('node-ready', onReady);
  return {
    connect: () => Promise.all([...clusters].map((each) => each.connect())),
    send: (key, args) => cluster.sendCommand(key, false, args),
    write: (key, args) => writer.sendCommand(key, false, args),
    writer: (key) => {
      const master = writer.slots[slotOf(key)]?.master;
      if (!master) throw new Error(`the Redis Cluster serves no slot for ${key}`);
      return { master: master.address, send: async (args) => (await writer.nodeClient(master)).sendCommand(args) };
    },
    subscribe: (channels, listener) => cluster.sSubscribe(channels, listener),
    unsubscribe: (channel, listener) => cluster.sUnsubscribe(channel, listener),
    everyMaster: (args) =>
      Promise.all(cluster.masters.map(async (master): Promise<Reply> => (await cluster.nodeClient(master)).sendCommand(args))),
    destroy: () => {
      for (const each of clusters) each.destroy();
    },
  };
}
