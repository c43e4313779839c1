/**
 * The Redis engine: any number of nodes, which share nothing but Redis.
 *
 *  - Every change is one script in one partition (a hash tag): decided there, under Redis' clock (E2), repeatable by id
 *    (E3), stored before its event is emitted (E1). If two partitions are concerned, the first step decides; any living
 *    node drives the others on (`tasks.ts`).
 *  - Pub/sub only wakes. Decisions and task events follow a stream per partition (`decision-stream.ts`); everything else
 *    that pub/sub carries or loses is the subject of `deliveries.ts`.
 *  - `node-lifecycle.ts` says how a node starts, heals after Redis was away, and leaves.
 */
import { userChannel } from '../../../protocol/channels.js';
import { ConfigurationError, EngineUnavailableError } from '../../notification.errors.js';
import type { EngineReading } from '../deadlines.js';
import { EVERYTHING } from '../engine.js';
import type * as Api from '../engine.js';
import { CallGate } from '../call-gate.js';
import { Emitter } from '../emitter.js';
import { checkServer } from './connection/check-server.js';
import type { Context } from './context.js';
import { Deliveries } from './cluster/deliveries.js';
import { databaseOf, Keys } from './keys.js';
import { Life, type Parts } from './cluster/node-lifecycle.js';
import type { Logger } from './connection/error-log.js';
import { RedisConnections, type RedisUrl } from './connection/redis-connections.js';
import { RedisBroker } from './stores/messages.js';
import { Nodes } from './cluster/node-registry.js';
import { RedisEvents } from './stores/webhook-events.js';
import { PartitionClock } from './cluster/partition-clock.js';
import { Partitions } from './partitions.js';
import { RedisPresence } from './stores/presences.js';
import { RedisConfirmations } from './stores/confirmations.js';
import { RedisRevocations } from './stores/revocations.js';
import { RedisTasks } from './stores/tasks.js';
import { Ticker } from './cluster/sweep-timer.js';
import { Watches } from './cluster/channel-subscriptions.js';

const BEAT_MS = { shortest: 50, longest: 1000 };

export interface RedisEngineOptions {
  /** `redis://…`, `rediss://…`, or some nodes of a Redis Cluster. */
  url: RedisUrl;
  settings: Api.EngineSettings;
  /** How far the node has read its sockets. @default there are none, and no deadline waits for this node */
  reading?: EngineReading;
  /** How long Redis may take to answer. @default 2000 */
  commandTimeoutMs?: number;
  /** @default nothing is logged */
  logger?: Logger;
  /** Whether a Redis without persistence, or with an evicting policy, will do. @default false */
  acceptLoss?: boolean;
  /** How many replicas must have a change before its call resolves. @default 0 */
  waitReplicas?: number;
  /** Into how many parts the data is divided; fixed by the first node that starts on it. @default 64 */
  partitions?: number;
  /** Begins every key and pub/sub channel; without braces. @default 'ws' */
  keyPrefix?: string;
  /** Engines of one name count as one node in `cluster()`. Without spaces, braces and dots. @default each is a node */
  nodeName?: string;
}

export class RedisEngine implements Api.Engine {
  readonly name = 'redis';
  readonly confirmations: Api.ConfirmationStore;
  readonly tasks: Api.TaskStore;
  readonly broker: Api.Broker;
  readonly presence: Api.Presence;
  readonly revocations: Api.Revocations;
  readonly events: Api.EventQueue;
  private readonly link: RedisConnections;
  private readonly emitter: Emitter;
  private readonly context: Context;
  private readonly parts: Parts;
  private readonly life: Life;
  private readonly gate = new CallGate();
  private readonly logger: Logger;
  private readonly acceptLoss: boolean;
  private closing: Promise<void> | undefined;

  constructor(options: RedisEngineOptions) {
    const { url, settings, commandTimeoutMs = 2000, acceptLoss = false, waitReplicas = 0, keyPrefix = 'ws' } = options;
    this.logger = options.logger ?? { warn: () => undefined, error: () => undefined };
    this.acceptLoss = acceptLoss;
    this.emitter = new Emitter(this.logger);
    const onReady = (): void => this.life.heal();
    this.link = new RedisConnections({ url, timeoutMs: commandTimeoutMs, waitReplicas, logger: this.logger, onReady });
    const keys = new Keys(keyPrefix, typeof url === 'string' ? databaseOf(url) : 0);
    const nodes = new Nodes(this.link, keys, settings.retentionMs, options.nodeName);
    const partitions = new Partitions(options.partitions ?? 64);
    this.context = this.contextOf(settings, options.reading, keys, partitions, nodes);
    const tasks = new RedisTasks(this.context);
    const events = new RedisEvents(this.context, this.emitter);
    const presence = new RedisPresence(this.link, keys, partitions, nodes, settings.maxConnectionsPerUser, (connectionId) =>
      this.emitter.emit((handler) => handler.onEvicted(connectionId)),
    );
    const confirmations = new RedisConfirmations(this.context, tasks, events);
    this.parts = { confirmations, tasks, broker: new RedisBroker(this.context), presence, events };
    this.life = new Life(this.link, keys, this.context, this.parts, this.emitter);
    this.confirmations = this.gate.guard(confirmations);
    this.tasks = this.gate.guard(tasks);
    this.broker = this.gate.guard(this.parts.broker);
    this.presence = this.gate.guard(presence);
    this.revocations = this.gate.guard(new RedisRevocations(this.context));
    this.events = this.gate.guard(events);
  }

  async start(handler: Api.EngineHandler): Promise<void> {
    this.emitter.attach(handler);
    try {
      await this.link.connect();
      await checkServer(this.link, this.acceptLoss, this.logger);
      await this.life.start();
    } catch (error) {
      this.closing = Promise.all([this.gate.close(), this.link.close()]).then(() => undefined);
      if (error instanceof EngineUnavailableError)
        throw new ConfigurationError(`Redis cannot be used: ${this.link.reasonOf(error)}`);
      throw error;
    }
  }

  replayDecisions(): Promise<void> {
    return this.gate.run(() => this.life.replay());
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  async ping(): Promise<void> {
    await this.gate.run(() => this.link.askAll('PING'));
  }

  /** Three commands that are sent together, so that they take one round trip. */
  waiting(userId: string): Promise<Api.Waiting> {
    const { broker, confirmations } = this.parts;
    return this.gate.run(async () => {
      const [position, pendingIds, { items, cursor }] = await Promise.all([
        broker.position(userChannel(userId)),
        confirmations.pendingIds(userId),
        broker.unacknowledged(userId, 1),
      ]);
      return { position, pendingIds, hasMessages: items.length > 0 || cursor !== undefined };
    });
  }

  counts(): Promise<Api.Counts> {
    return this.gate.run(() => this.parts.broker.counts());
  }

  cluster(localConnections: number): Promise<Api.ClusterStatus> {
    const { nodes, watches } = this.context;
    return this.gate.run(async () => {
      this.life.connections = localConnections;
      await nodes.beat(localConnections, watches.count(EVERYTHING));
      return { engine: this.name, nodes: nodes.count, activeConnections: nodes.sum('connections') + localConnections };
    });
  }

  private contextOf(
    settings: Api.EngineSettings,
    reading: EngineReading | undefined,
    keys: Keys,
    partitions: Partitions,
    nodes: Nodes,
  ): Context {
    const { link, emitter } = this;
    const report = (what: string, error: unknown): void => emitter.report(what, error);
    const deliveries: Deliveries = new Deliveries(
      {
        tell: (how) => emitter.emit(how),
        history: (channel, since, limit) => this.parts.broker.history({ channel, since, limit }),
        ownerOf: async (taskId) => (await this.parts.tasks.get(taskId))?.userId ?? undefined,
        onError: report,
        onLost: () => this.life.heal(),
      },
      (channel) => watches.isLive(channel),
    );
    const onMessage = (message: string): void => deliveries.onMessage(message);
    const watches: Watches = new Watches(link, keys, partitions, nodes.id, onMessage, report);
    const { retentionMs, historyTtlMs } = settings;
    const clocks = partitions.all.map(() => new PartitionClock());
    const ticker = new Ticker({
      everyMs: Math.min(Math.max(Math.min(retentionMs, historyTtlMs) / 4, BEAT_MS.shortest), BEAT_MS.longest),
      partitions: partitions.all,
      look: async (partition) => (await this.life.look(partition)).next,
      momentOf: (partition, time) => clocks[partition]?.momentOf(time) ?? 0,
      read: (moment) => reading?.reach(moment) ?? Promise.resolve(),
      beat: () => this.life.beat(),
      onError: (error) => report('looking for what is due', error),
    });
    reading?.onServing(() => void ticker.round());
    return {
      settings,
      reading,
      clocks,
      arrivedAt: (partition, arrival) => String((arrival && clocks[partition]?.at(arrival.earliest)) ?? ''),
      partitions,
      nodes,
      watches,
      deliveries,
      ticker,
      run: (script, partition, ...args) => link.run(script, keys.root(partition), ...args),
      told: async (partition, order, decided = true) => {
        const feed = this.life.feeds[partition];
        await feed?.passed(Number(order));
        if (link.waitsForReplicas && decided && feed && feed.position < Number(order))
          throw new EngineUnavailableError('too few replicas have the decision');
      },
    };
  }

  private async end(): Promise<void> {
    await this.gate.close();
    await this.life.leave();
    await this.link.close();
  }
}
