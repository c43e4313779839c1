/**
 * The Redis engine: any number of nodes, which share nothing but Redis.
 *
 *  - Every change is one script in one partition (a hash tag): decided there, under Redis' clock (E2), repeatable by id
 *    (E3), stored before anybody is told (E1). Where two partitions are concerned, the first step decides and the others
 *    follow, driven on by whichever node is alive (`tasks.ts`).
 *  - Pub/sub only wakes. Decisions and task events come in the order of a stream per partition (`feed.ts`); what else it
 *    brings, and what it loses, is `deliveries.ts`.
 *  - How a node starts, heals after Redis was away and leaves is `life.ts`.
 */
import { userChannel } from '../../../protocol/channels.js';
import { ConfigurationError, EngineUnavailableError } from '../../notification.errors.js';
import type { Arrival, EngineReading } from '../deadlines.js';
import type * as Api from '../engine.js';
import { checkCursor } from '../cursor.js';
import { checkServer } from './connection/check-server.js';
import type { Context } from './context.js';
import { Deliveries } from './cluster/deliveries.js';
import { Devices } from './stores/devices.js';
import { databaseOf, Keys } from './keys.js';
import { Life } from './cluster/node-lifecycle.js';
import type { Logger } from './connection/error-log.js';
import { RedisConnections, type RedisUrl } from './connection/redis-connections.js';
import { Messages } from './stores/messages.js';
import { Nodes } from './cluster/node-registry.js';
import { Notices } from './stores/webhook-events.js';
import { PartitionClock } from './cluster/partition-clock.js';
import { Partitions } from './partitions.js';
import { Presences } from './stores/presences.js';
import { Prompts } from './stores/confirmations.js';
import { Revocations } from './stores/revocations.js';
import { Tasks } from './stores/tasks.js';
import { Teller } from './cluster/safe-handler.js';
import { Ticker } from './cluster/sweep-timer.js';
import { EVERYTHING, Watches } from './cluster/channel-subscriptions.js';

/** What cursors look like: an order and a partition; an interval's start. */
const CURSORS = { list: /^\d{1,17}\.\d{1,5}$/, unacknowledged: /^\(\d{1,17}$/ };
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
  private readonly link: RedisConnections;
  private readonly teller: Teller;
  private readonly context: Context;
  readonly prompts: Prompts;
  readonly tasks: Tasks;
  readonly messages: Messages;
  readonly presences: Presences;
  readonly notices: Notices;
  private readonly revocations: Revocations;
  private readonly knownDevices: Devices;
  private readonly life: Life;
  private readonly logger: Logger;
  private readonly acceptLoss: boolean;
  private readonly calls = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  constructor(options: RedisEngineOptions) {
    const { url, settings, commandTimeoutMs = 2000, acceptLoss = false, waitReplicas = 0, keyPrefix = 'ws' } = options;
    this.logger = options.logger ?? { warn: () => undefined, error: () => undefined };
    this.acceptLoss = acceptLoss;
    this.teller = new Teller(this.logger);
    const onReady = (): void => this.life.heal();
    this.link = new RedisConnections({ url, timeoutMs: commandTimeoutMs, waitReplicas, logger: this.logger, onReady });
    const keys = new Keys(keyPrefix, typeof url === 'string' ? databaseOf(url) : 0);
    const nodes = new Nodes(this.link, keys, settings.retentionMs, options.nodeName);
    const partitions = new Partitions(options.partitions ?? 64);
    this.context = this.contextOf(settings, options.reading, keys, partitions, nodes);
    this.tasks = new Tasks(this.context);
    this.prompts = new Prompts(this.context, this.tasks);
    this.messages = new Messages(this.context);
    this.revocations = new Revocations(this.context);
    this.knownDevices = new Devices(this.link, keys, partitions, nodes);
    this.notices = new Notices(this.context, this.teller);
    this.presences = new Presences(this.link, keys, partitions, nodes, settings.maxConnectionsPerUser, (connectionId) =>
      this.teller.tell((handler) => handler.onEvicted(connectionId)),
    );
    this.life = new Life(this.link, keys, this.context, this, this.teller);
  }

  /* ---- life ---- */

  async start(handler: Api.EngineHandler): Promise<void> {
    this.teller.handler = handler;
    try {
      await this.link.connect();
      await checkServer(this.link, this.acceptLoss, this.logger);
      await this.life.start();
    } catch (error) {
      this.closing = this.link.close();
      if (error instanceof EngineUnavailableError)
        throw new ConfigurationError(`Redis cannot be used: ${this.link.reasonOf(error)}`);
      throw error;
    }
  }

  replayDecisions(): Promise<void> {
    return this.during(() => this.life.replay());
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  async ping(): Promise<void> {
    await this.during(() => this.link.askAll('PING'));
  }

  /* ---- confirmations ---- */

  open(request: Api.OpenRequest): Promise<{ created: boolean; confirmation: Api.Confirmation }> {
    return this.during(async () => {
      const opened = await this.prompts.open(request);
      if (opened.created) this.notices.ripen(this.context.partitions.of(request.userId));
      return opened;
    });
  }

  decide(request: Api.DecideRequest): Promise<Api.DecideResult> {
    return this.during(() => this.prompts.decide(request));
  }

  withdraw(callbackId: string, scope: Api.Scope, reason?: string, via?: string, arrival?: Arrival): Promise<Api.DecideResult> {
    return this.during(() => this.prompts.withdraw(callbackId, scope, reason, via, arrival));
  }

  get(callbackId: string): Promise<Api.Confirmation | undefined> {
    return this.during(() => this.prompts.get(callbackId));
  }

  list(query: Api.ConfirmationQuery): Promise<Api.Page<Api.Confirmation>> {
    return this.during(async () => {
      checkCursor(query.cursor, CURSORS.list);
      return this.prompts.list(query);
    });
  }

  /* ---- tasks ---- */

  claimTask(taskId: string, userId: string): Promise<Api.Task> {
    return this.during(() => this.tasks.claim(taskId, userId));
  }

  cancelTask(request: Api.CancelRequest): Promise<Api.CancelResult> {
    return this.during(() => this.tasks.cancel(request));
  }

  resumeTask(taskId: string): Promise<Api.ResumeResult> {
    return this.during(() => this.tasks.resume(taskId));
  }

  getTask(taskId: string): Promise<Api.Task | undefined> {
    return this.during(() => this.tasks.get(taskId));
  }

  /* ---- messages ---- */

  publish(request: Api.PublishRequest): Promise<Api.PublishResult> {
    return this.during(() => this.messages.publish(request));
  }

  position(channel: string): Promise<Api.StreamPosition> {
    return this.during(() => this.messages.position(channel));
  }

  history(request: Api.HistoryRequest): Promise<Api.HistoryResult> {
    return this.during(() => this.messages.history(request));
  }

  sendAcknowledged(request: Api.SendAcknowledgedRequest): Promise<Api.PublishResult> {
    return this.during(() => this.messages.sendAcknowledged(request));
  }

  ack(messageId: string, scope: Api.Scope): Promise<Api.AckResult> {
    return this.during(() => this.messages.ack(messageId, scope));
  }

  isAcknowledged(messageId: string, userId: string): Promise<boolean> {
    return this.during(() => this.messages.isAcknowledged(messageId, userId));
  }

  unacknowledged(userId: string, limit: number, cursor?: string): Promise<Api.Page<Api.AcknowledgedMessage>> {
    return this.during(async () => {
      checkCursor(cursor, CURSORS.unacknowledged);
      return this.messages.unacknowledged(userId, limit, cursor);
    });
  }

  /** Sent together, so that they take one round trip. */
  waiting(userId: string): Promise<Api.Waiting> {
    return this.during(async () => {
      const [position, pendingIds, { items, cursor }] = await Promise.all([
        this.messages.position(userChannel(userId)),
        this.prompts.pendingIds(userId),
        this.messages.unacknowledged(userId, 1),
      ]);
      return { position, pendingIds, hasMessages: items.length > 0 || cursor !== undefined };
    });
  }

  counts(): Promise<Api.Counts> {
    return this.during(() => this.messages.counts());
  }

  /* ---- notices ---- */

  claimNotices(limit: number, leaseMs: number): Promise<Api.Notice[]> {
    return this.during(() => this.notices.claim(limit, leaseMs));
  }

  completeNotice(notice: Api.Notice): Promise<boolean> {
    return this.during(() => this.notices.complete(notice));
  }

  postponeNotice(notice: Api.Notice, delayMs: number): Promise<boolean> {
    return this.during(() => this.notices.postpone(notice, delayMs));
  }

  noticeCounts(): Promise<Api.NoticeCounts> {
    return this.during(() => this.notices.counts());
  }

  /* ---- presence ---- */

  watch(channel: string): Promise<void> {
    return this.during(() => this.context.watches.add(channel));
  }

  unwatch(channel: string): Promise<void> {
    return this.during(async () => {
      await this.context.watches.remove(channel);
      if (this.context.watches.count(channel) === 0) this.context.deliveries.forget(channel);
    });
  }

  revokeUser(userId: string): Promise<number> {
    return this.during(() => this.revocations.revoke(userId));
  }

  reviewAccess(userId: string): Promise<void> {
    return this.during(() => this.revocations.review(userId));
  }

  revokedAt(userId: string): Promise<number | undefined> {
    return this.during(() => this.revocations.at(userId));
  }

  connect(connectionId: string, userId: string): Promise<void> {
    return this.during(() => this.presences.add(connectionId, userId));
  }

  disconnect(connectionId: string, userId: string): Promise<void> {
    return this.during(() => this.presences.remove(connectionId, userId));
  }

  describe(connectionId: string, userId: string, device: Omit<Api.Device, 'node'>): Promise<void> {
    return this.during(() => this.knownDevices.describe(connectionId, userId, device));
  }

  devices(userId: string): Promise<Api.Device[]> {
    return this.during(() => this.knownDevices.of(userId));
  }

  presence(userId: string): Promise<Api.Presence> {
    return this.during(async () => ({ connections: await this.presences.count(userId) }));
  }

  cluster(localConnections: number): Promise<Api.ClusterStatus> {
    const { nodes, watches } = this.context;
    return this.during(async () => {
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
    const { link, teller } = this;
    const report = (what: string, error: unknown): void => teller.report(what, error);
    const deliveries: Deliveries = new Deliveries(
      {
        tell: (how) => teller.tell(how),
        history: (channel, since, limit) => this.messages.history({ channel, since, limit }),
        ownerOf: async (taskId) => (await this.tasks.get(taskId))?.userId ?? undefined,
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

  private during<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing) return Promise.reject(new EngineUnavailableError('the engine is closed'));
    const call = work();
    this.calls.add(call);
    const done = (): void => void this.calls.delete(call);
    call.then(done, done);
    return call;
  }

  private async end(): Promise<void> {
    await Promise.allSettled(this.calls);
    await this.life.leave();
    await this.link.close();
  }
}
