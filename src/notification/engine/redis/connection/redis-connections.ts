/**
 * This node's connections to Redis: one for commands, one for pub/sub, and one for writes that wait for replicas (in Cluster
 * mode one of each per master).
 *
 *  1. Nothing is sent twice. Commands do not queue while Redis is away, and a command under way on a connection that breaks
 *     is rejected. (A script that Redis does not know, that another master has to run, or whose slot is moving, has not run.)
 *  2. Every call ends within the deadline, if need be with `EngineUnavailableError`. Whether a write was carried out is then
 *     unknown; repeating it with the same id is safe.
 *  3. With `waitReplicas`, a call that changes something resolves when that many replicas have the change.
 *  4. Subscriptions come back by themselves; `onReady` says that they were away.
 *  5. The words of Redis and of the network go to the log, and to the error of a failed start. Errors of calls, which reach
 *     clients, have words of their own.
 */
import { EngineUnavailableError, StoreFullError } from '../../../notification.errors.js';
import { delay, monotonicMs } from '../../../pacing/time-source.js';
import { MARK } from '../scripts/node.js';
import type { Script } from '../scripts/script.js';
import { CallDeadlines } from './call-deadline.js';
import { clusterClient } from './cluster-client.js';
import { ErrorLog, reasonOf, saysRedis, type Logger } from './error-log.js';
import { evaluate, whileSlotMoves, type ScriptSource } from './evaluate.js';
import type { Listener, RedisClient } from './redis-client.js';
import { ReplicaWait } from './replica-wait.js';
import { singleClient } from './single-client.js';

export type RedisUrl = string | { cluster: string[] };

export interface ConnectionOptions {
  url: RedisUrl;
  /** How long Redis may take to answer. */
  timeoutMs: number;
  waitReplicas: number;
  logger: Logger;
  /** A connection is there (again): whatever was published before may have been missed. */
  onReady(): void;
}

const SUBSCRIBE_RETRY_MS = 50;
/** Which part of the deadline a repeated call and a WAIT may use. */
const PATIENCE = 0.9;

export class RedisConnections {
  private readonly client: RedisClient;
  private readonly calls: CallDeadlines;
  private readonly errors: ErrorLog;
  /** By master. */
  private readonly replicaWaits = new Map<string, ReplicaWait>();
  /** Scripts whose source was sent (`evaluate.ts`). After an error Redis may be another one. */
  private readonly sent = new Set<string>();
  private closed = false;

  constructor(private readonly options: ConnectionOptions) {
    const { url, timeoutMs } = options;
    this.errors = new ErrorLog(options.logger);
    const late = (): Error => new EngineUnavailableError(`Redis has not answered within ${timeoutMs} ms`);
    this.calls = new CallDeadlines(timeoutMs, late, (error) => this.translate(error));
    const events = {
      onError: (error: unknown): void => this.report(error),
      onReady: (): void => {
        this.errors.reset();
        options.onReady();
      },
    };
    this.client =
      typeof url === 'string'
        ? singleClient(url, this.waitsForReplicas, events)
        : clusterClient(url.cluster, this.waitsForReplicas, events);
  }

  async connect(): Promise<void> {
    try {
      await this.calls.run(this.client.connect());
    } catch (error) {
      throw new EngineUnavailableError('Redis cannot be reached', this.errors.lastReason || error);
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

  /**
   * Runs a script on a partition, or on the keys of the nodes.
   * @param roots what every key of it starts with; one, but for a script that works on several partitions of a single server
   */
  run(script: ScriptSource & Pick<Script, 'counts'>, roots: readonly string[], values: readonly string[]): Promise<unknown> {
    const [root = ''] = roots;
    const until = monotonicMs() + this.options.timeoutMs * PATIENCE;
    return this.call(() =>
      whileSlotMoves(until, () => {
        if (script.counts && this.waitsForReplicas) return this.runReplicated(script, roots, values);
        return evaluate(script, roots, values, (command) => this.client.send(root, command), this.sent);
      }),
    );
  }

  /** Whether one script may work on several partitions: not in a Redis Cluster, which knows no script over several slots. */
  get isSingleServer(): boolean {
    return typeof this.options.url === 'string';
  }

  /** Whether calls that change something wait for replicas. */
  get waitsForReplicas(): boolean {
    return this.options.waitReplicas > 0;
  }

  /** Resolves when enough replicas have everything that any node did to a partition before. */
  replicated(root: string): Promise<void> {
    return this.call(() => this.replicaWaitOf(root).have(root));
  }

  /**
   * Tries again within the deadline: a broken connection for pub/sub is soon back, and subscribing writes nothing.
   * @throws EngineUnavailableError while subscribing does not succeed
   */
  async subscribe(channels: string[], listener: Listener): Promise<void> {
    const until = monotonicMs() + this.options.timeoutMs - SUBSCRIBE_RETRY_MS;
    await this.call(async () => {
      for (;;) {
        try {
          return await this.client.subscribe(channels, listener);
        } catch (error) {
          if (monotonicMs() >= until) throw error;
          await delay(SUBSCRIBE_RETRY_MS);
        }
      }
    });
  }

  async unsubscribe(channel: string, listener: Listener): Promise<void> {
    await this.call(() => this.client.unsubscribe(channel, listener));
  }

  /** Sends a command to every master. @returns one reply per master */
  askAll(...command: string[]): Promise<unknown[]> {
    return this.call(() => this.client.askAll(command));
  }

  /** Lets calls under way finish, then closes. */
  async close(): Promise<void> {
    await this.calls.ended();
    this.closed = true;
    this.calls.close();
    this.client.destroy();
  }

  private async runReplicated(script: ScriptSource, roots: readonly string[], args: readonly string[]): Promise<unknown> {
    const [root = ''] = roots;
    const reply = await evaluate(script, roots, args, (command) => this.client.write(root, command), this.sent);
    await this.replicaWaitOf(root).have(root);
    return reply;
  }

  private replicaWaitOf(root: string): ReplicaWait {
    const { waitReplicas, timeoutMs } = this.options;
    const { master, send } = this.client.writer(root);
    const known = this.replicaWaits.get(master);
    if (known) return known;
    const wait = async (partition: string, ms: number): Promise<number> => {
      await evaluate(MARK, [partition], [], send, this.sent);
      return Number(await send(['WAIT', String(waitReplicas), String(ms)]));
    };
    const made = new ReplicaWait({ needed: waitReplicas, patienceMs: timeoutMs * PATIENCE, wait });
    this.replicaWaits.set(master, made);
    return made;
  }

  private call<T>(work: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new EngineUnavailableError('the engine is closed'));
    return this.calls.run(work());
  }

  private report(error: unknown): void {
    this.sent.clear();
    if (!this.closed) this.errors.report(error);
  }

  private translate(error: unknown): Error {
    if (error instanceof EngineUnavailableError) return error;
    if (saysRedis(error, 'OOM')) return new StoreFullError(error);
    this.report(error);
    return new EngineUnavailableError('Redis could not carry out the call', error);
  }
}
