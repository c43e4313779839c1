/**
 * The Redis engine: any number of nodes, which share nothing but Redis.
 *
 *  - Every change is one script in one partition (a hash tag): decided there, under Redis' clock (E2), repeatable by id
 *    (E3), stored before its event is emitted (E1). If two partitions are concerned, the first step decides; any living
 *    node drives the others on (`stores/tasks.ts`).
 *  - Pub/sub only wakes. Decisions and task events follow a stream per partition (`cluster/event-stream.ts`); everything else
 *    that pub/sub carries or loses is the subject of `cluster/deliveries.ts`.
 *  - `cluster/node-lifecycle.ts` says how a node starts, heals after Redis was away, and leaves.
 *  - `lua/` holds the scripts, `scripts/` their descriptors. `redis-node.ts` puts the parts together.
 */
import { userChannel } from '../../../protocol/channels.js';
import { ConfigurationError, EngineUnavailableError } from '../../notification.errors.js';
import { everyStep } from '../../pacing/every-step.js';
import { CallGate } from '../call-gate.js';
import type { EngineReading } from '../deadlines.js';
import { Emitter } from '../emitter.js';
import type * as Api from '../engine.js';
import { checkServer } from './connection/check-server.js';
import type { Logger } from './connection/error-log.js';
import type { RedisUrl } from './connection/redis-connections.js';
import { buildRedisNode, type RedisNode } from './redis-node.js';

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
  private readonly node: RedisNode;
  private readonly emitter: Emitter;
  private readonly gate = new CallGate();
  private readonly logger: Logger;
  private readonly acceptLoss: boolean;
  private closing: Promise<void> | undefined;

  constructor(options: RedisEngineOptions) {
    const { url, settings, reading, commandTimeoutMs = 2000, waitReplicas = 0, partitions = 64, keyPrefix = 'ws' } = options;
    const logger = options.logger ?? { warn: () => undefined, error: () => undefined };
    this.logger = logger;
    this.acceptLoss = options.acceptLoss ?? false;
    this.emitter = new Emitter(logger);
    this.node = buildRedisNode(
      { url, settings, reading, commandTimeoutMs, waitReplicas, partitions, keyPrefix, nodeName: options.nodeName, logger },
      this.emitter,
    );
    this.confirmations = this.gate.guard(this.node.confirmations);
    this.tasks = this.gate.guard(this.node.tasks);
    this.broker = this.gate.guard(this.node.broker);
    this.presence = this.gate.guard(this.node.presence);
    this.revocations = this.gate.guard(this.node.revocations);
    this.events = this.gate.guard(this.node.events);
  }

  async start(handler: Api.EngineHandler): Promise<void> {
    const { connections, lifecycle } = this.node;
    this.emitter.attach(handler);
    try {
      await connections.connect();
      await checkServer(connections, this.acceptLoss, this.logger);
      await lifecycle.start();
    } catch (error) {
      this.closing = Promise.all([this.gate.close(), connections.close()]).then(() => undefined);
      if (error instanceof EngineUnavailableError)
        throw new ConfigurationError(`Redis cannot be used: ${connections.reasonOf(error)}`);
      throw error;
    }
  }

  replayDecisions(): Promise<void> {
    return this.gate.run(() => this.node.lifecycle.replay());
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  async ping(): Promise<void> {
    await this.gate.run(() => this.node.connections.askAll('PING'));
  }

  /** Three commands that are sent together, so that they take one round trip. */
  waiting(userId: string): Promise<Api.Waiting> {
    const { broker, confirmations } = this.node;
    return this.gate.run(async () => {
      const [position, pendingIds, { items, cursor }] = await Promise.all([
        broker.position(userChannel(userId)),
        confirmations.pendingIds(userId),
        broker.unacknowledged(userId, 1),
      ]);
      return { position, pendingIds, hasMessages: items.length > 0 || cursor !== undefined };
    });
  }

  counts(agesMs?: readonly number[]): Promise<Api.Counts> {
    return this.gate.run(() => this.node.broker.counts(agesMs));
  }

  cluster(localConnections: number): Promise<Api.ClusterStatus> {
    const { nodes, heartbeat } = this.node;
    return this.gate.run(async () => {
      await heartbeat.renewWith(localConnections);
      return { engine: this.name, nodes: nodes.count, activeConnections: nodes.sum('connections') + localConnections };
    });
  }

  reports(): Promise<Api.NodeReport[]> {
    return this.gate.run(() => this.node.nodeReports.read());
  }

  private async end(): Promise<void> {
    await everyStep(
      () => this.gate.close(),
      () => this.node.lifecycle.leave(),
      () => this.node.connections.close(),
    );
  }
}
