/** Builds the parts of one node, each after the parts that it needs. */
import type { Logger } from './connection/error-log.js';
import type { EngineReading } from '../deadlines.js';
import type { Emitter } from '../emitter.js';
import type { EngineSettings } from '../engine.js';
import { CatchUp } from './cluster/catch-up.js';
import { ChannelOrder } from './cluster/channel-order.js';
import { ChannelSubscriptions } from './cluster/channel-subscriptions.js';
import { Deliveries } from './cluster/deliveries.js';
import { EventStreams } from './cluster/event-streams.js';
import type { StreamEvent } from './cluster/event-stream.js';
import { Gaps } from './cluster/gaps.js';
import { Heartbeat } from './cluster/heartbeat.js';
import { NodeChannel } from './cluster/node-channel.js';
import { NodeLifecycle } from './cluster/node-lifecycle.js';
import { NodeRegistry } from './cluster/node-registry.js';
import { NodeReports } from './cluster/node-reports.js';
import { NodeStart } from './cluster/node-start.js';
import { PartitionClocks } from './cluster/partition-clock.js';
import { PubSubProbe } from './cluster/pubsub-probe.js';
import { Sweep, type SweepReply } from './cluster/sweep.js';
import { SweepTimer } from './cluster/sweep-timer.js';
import { WatcherReports } from './cluster/watcher-reports.js';
import { PubSub } from './connection/pubsub.js';
import { RedisConnections, type RedisUrl } from './connection/redis-connections.js';
import { ScriptRunner } from './connection/script-runner.js';
import { databaseOf, Keys } from './keys.js';
import { Partitions } from './partitions.js';
import { RedisBroker } from './stores/broker.js';
import { ChannelHistory } from './stores/channel-history.js';
import { ConfirmationLists } from './stores/confirmation-lists.js';
import { RedisConfirmations } from './stores/confirmations.js';
import { RedisPresence } from './stores/presence.js';
import { RedisRevocations } from './stores/revocations.js';
import { RedisTasks } from './stores/tasks.js';
import { RedisEvents } from './stores/webhook-events.js';

const SWEEP_MS = { shortest: 50, longest: 1000 };

export interface RedisNodeOptions {
  url: RedisUrl;
  settings: EngineSettings;
  reading: EngineReading | undefined;
  commandTimeoutMs: number;
  waitReplicas: number;
  partitions: number;
  keyPrefix: string;
  nodeName: string | undefined;
  logger: Logger;
}

/** The parts that the engine uses. */
export interface RedisNode {
  connections: RedisConnections;
  runner: ScriptRunner;
  partitions: Partitions;
  nodes: NodeRegistry;
  heartbeat: Heartbeat;
  nodeReports: NodeReports;
  lifecycle: NodeLifecycle;
  confirmations: RedisConfirmations;
  tasks: RedisTasks;
  broker: RedisBroker;
  presence: RedisPresence;
  revocations: RedisRevocations;
  events: RedisEvents;
}

export function buildRedisNode(options: RedisNodeOptions, emitter: Emitter): RedisNode {
  const { url, settings, reading, logger } = options;
  const { retentionMs, historyTtlMs, webhookEvents = [] } = settings;

  const gaps = new Gaps();
  const connections = new RedisConnections({
    url,
    timeoutMs: options.commandTimeoutMs,
    waitReplicas: options.waitReplicas,
    logger,
    onReady: () => gaps.report(),
  });
  const keys = new Keys(options.keyPrefix, typeof url === 'string' ? databaseOf(url) : 0);
  const partitions = new Partitions(options.partitions);
  const runner = new ScriptRunner(connections, keys);
  const pubsub = new PubSub(connections, keys, partitions);
  const clocks = new PartitionClocks(partitions.count);
  const nodes = new NodeRegistry(runner, retentionMs, options.nodeName);

  const history = new ChannelHistory(runner, partitions, historyTtlMs);
  const order = new ChannelOrder(emitter, history, gaps);
  const deliveries = new Deliveries(emitter, order);
  const reports = new WatcherReports(runner, partitions, nodes.id, emitter);
  const subscriptions = new ChannelSubscriptions(pubsub, order, reports, (message) => deliveries.onMessage(message));

  const events = new RedisEvents(runner, partitions, nodes, emitter, webhookEvents.length > 0);
  const streams = new EventStreams(runner, partitions, {
    onEvent: (event, partition) => {
      emitStreamEvent(event, emitter, deliveries, nodes.id);
      if (event.kind === 'decided' || event.kind === 'task') events.onEvent(partition);
    },
    onLost: () => gaps.report(),
    onError: (error) => emitter.report('reading decisions', error),
  });
  const tasks = new RedisTasks(runner, partitions, streams, clocks, retentionMs);
  const presence = new RedisPresence(runner, partitions, nodes, emitter, settings.maxConnectionsPerUser);
  const revocations = new RedisRevocations(runner, partitions, streams);
  const broker = new RedisBroker({ settings, runner, partitions, nodes, history, order, deliveries, subscriptions });

  const nodeReports = new NodeReports(runner, nodes, emitter);
  const heartbeat = new Heartbeat(nodes, presence, subscriptions, gaps, emitter, nodeReports);
  const probe = new PubSubProbe();
  const sweep = new Sweep({
    nodeId: nodes.id,
    retentionMs,
    webhookEvents,
    reading,
    runner,
    clocks,
    streams,
    heartbeat,
    probe,
    gaps,
    onSwept: async (partition: number, { expiring, idleTasks, undoneTasks, claimable, givenUp }: SweepReply) => {
      for (const confirmation of expiring) deliveries.expiring(confirmation);
      for (const { task, lastUse } of idleTasks) await tasks.forget(task, lastUse);
      for (const task of undoneTasks) await tasks.finishCancellation(task);
      if (claimable) events.ripen(partition);
      events.dropped(givenUp);
    },
  });
  const timer = new SweepTimer({
    everyMs: Math.min(Math.max(Math.min(retentionMs, historyTtlMs) / 4, SWEEP_MS.shortest), SWEEP_MS.longest),
    partitions: partitions.all,
    sweep,
    clocks,
    heartbeat,
    reading,
    onError: (error) => emitter.report('sweeping', error),
  });
  reading?.onServing(() => void timer.sweepAll());

  const lists = new ConfirmationLists(runner, partitions, streams);
  const confirmations = new RedisConfirmations({
    maxPendingPerUser: settings.maxPendingPerUser,
    runner,
    partitions,
    clocks,
    streams,
    deliveries,
    timer,
    tasks,
    events,
    lists,
  });
  const channel = new NodeChannel(pubsub, streams, emitter, {
    onEvicted: (connectionId) => presence.evict(connectionId),
    onReadingAsked: (partition, deadline) => void timer.sweepAfterReading(partition, deadline),
    onProbe: (partition, number) => {
      const missedSince = probe.onProbe(partition, number);
      if (missedSince !== undefined) gaps.report(missedSince);
    },
    onMessage: (message) => deliveries.onMessage(message),
  });
  const catchUp = new CatchUp({
    partitions: partitions.all,
    heartbeat,
    sweep,
    subscriptions,
    order,
    deliveries,
    confirmations: lists,
    broker,
  });
  const start = new NodeStart({
    partitions: partitions.all,
    retentionMs,
    runner,
    nodes,
    channel,
    subscriptions,
    streams,
    sweep,
    timer,
  });
  const lifecycle = new NodeLifecycle({ partitions: partitions.all, nodes, start, sweep, timer, gaps, catchUp, emitter });

  return {
    connections,
    runner,
    partitions,
    nodes,
    heartbeat,
    nodeReports,
    lifecycle,
    confirmations,
    tasks,
    broker,
    presence,
    revocations,
    events,
  };
}

function emitStreamEvent(event: StreamEvent, emitter: Emitter, deliveries: Deliveries, nodeId: string): void {
  switch (event.kind) {
    case 'decided':
      return deliveries.decided(event.confirmation, event.appliedBy === undefined || event.appliedBy === nodeId);
    case 'task':
      return emitter.emit((handler) => handler.onTask(event.task));
    case 'revoked':
      return emitter.emit((handler) => handler.onRevoked(event.userId));
    case 'review':
      return emitter.emit((handler) => handler.onReview(event.userId));
    case 'lease':
      if (event.nodeId !== nodeId) emitter.emit((handler) => handler.onLeaseTaken(event.taskId, event.order));
      return;
    default:
      return event satisfies never;
  }
}
