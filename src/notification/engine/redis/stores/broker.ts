/** Publications, positions and history, and acknowledged messages. */
import { userChannel } from '../../../../protocol/channels.js';
import type { JsonObject } from '../../../../protocol/confirmation.js';
import { EVERYTHING, PAGE_BYTES } from '../../broker.js';
import type * as Api from '../../broker.js';
import type { Counts } from '../../engine.js';
import { checkCursor, type Page } from '../../page.js';
import { EngineUnavailableError } from '../../../notification.errors.js';
import type { Scope } from '../../scope.js';
import type { ChannelOrder } from '../cluster/channel-order.js';
import type { ChannelSubscriptions } from '../cluster/channel-subscriptions.js';
import { publicationEnds, publicationHead, publicationOf, type Deliveries } from '../cluster/deliveries.js';
import type { NodeRegistry } from '../cluster/node-registry.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { ACK, ACKNOWLEDGED, COUNTS, FORWARD, KEEP, NAME_OWNER, OWNER, TAKE_LEASE, UNACKNOWLEDGED } from '../scripts/message.js';
import type { ChannelHistory } from './channel-history.js';
import { PublicationQueue } from './publication-queue.js';

/** The start of an interval of orders. */
const CURSOR = /^\(\d{1,17}$/;
/** How much longer than a message its owner is known. */
const OWNER_MARGIN_MS = 60_000;

export interface BrokerParts {
  readonly settings: { readonly historySize: number; readonly historyTtlMs: number; readonly retentionMs: number };
  readonly runner: ScriptRunner;
  readonly partitions: Partitions;
  readonly nodes: NodeRegistry;
  readonly history: ChannelHistory;
  readonly order: ChannelOrder;
  readonly deliveries: Deliveries;
  readonly subscriptions: ChannelSubscriptions;
}

export class RedisBroker implements Api.Broker {
  private published = 0;
  private readonly queue: PublicationQueue;

  constructor(private readonly parts: BrokerParts) {
    const { historySize, historyTtlMs: historyTtl, retentionMs: retention } = parts.settings;
    const idleTtl = Math.max(retention, historyTtl);
    this.queue = new PublicationQueue(parts.runner, { historySize, historyTtl, idleTtl, retention });
  }

  async publish({ channel, message, recoverable, conflationKey }: Api.PublishRequest): Promise<Api.PublishResult> {
    const { deliveries, nodes, partitions } = this.parts;
    const { kind, name } = channel;
    const anonymousToo = kind === 'user' || kind === 'task';
    const uid = `${nodes.id} ${(this.published += 1)}`;
    const body = JSON.stringify(message);
    const expected = deliveries.expect(uid);
    try {
      const { epoch, offset, watchers, owner } = await this.queue.publish(partitions.ofChannel(channel), {
        channel: name,
        message: body,
        recoverable,
        anonymousToo,
        ...publicationEnds(uid, name, conflationKey),
      });
      const publication = publicationOf(channel, body, { epoch, offset, audienceUserId: owner, conflationKey });
      const { position } = publication;
      const local = deliveries.own(this.isLive(name, anonymousToo), expected.reached, () => deliveries.arrived(uid, publication));
      let others = kind === 'broadcast' ? nodes.sum('connections') : nodes.sumOf(watchers);
      if (anonymousToo) others += nodes.sum('anonymous');
      if (owner !== undefined) others += await this.forward(owner, uid, publication);
      return { deliveredTo: (await local) + others, ...(position && { position }) };
    } finally {
      expected.stop();
    }
  }

  async position(channel: string): Promise<Api.StreamPosition> {
    const position = await this.parts.history.position(channel);
    this.parts.order.standsAt(channel, position);
    return position;
  }

  history(request: Api.HistoryRequest): Promise<Api.HistoryResult> {
    return this.parts.history.after(request);
  }

  watch(channel: string): Promise<void> {
    return this.parts.subscriptions.add(channel);
  }

  unwatch(channel: string): Promise<void> {
    return this.parts.subscriptions.remove(channel);
  }

  takeLease(taskId: string): Promise<number> {
    const { runner, nodes, partitions } = this.parts;
    return runner.run(TAKE_LEASE, partitions.of(taskId), { task: taskId, node: nodes.id });
  }

  async sendAcknowledged({ messageId, userId, message, ttlMs }: Api.SendAcknowledgedRequest): Promise<Api.PublishResult> {
    const { runner, deliveries, nodes, partitions } = this.parts;
    // Before the message itself: a device that receives it may acknowledge it by its id alone.
    const ttl = Math.max(1, ttlMs + OWNER_MARGIN_MS);
    await runner.run(NAME_OWNER, partitions.of(messageId), { id: messageId, user: userId, ttl });
    const expected = deliveries.expect(messageId);
    try {
      const { created, watchers, expires } = await runner.run(KEEP, partitions.of(userId), {
        id: messageId,
        user: userId,
        message,
        ttl: ttlMs,
        node: nodes.id,
      });
      if (!created || expires === undefined) return { deliveredTo: 0 };
      const local = deliveries.own(this.isLive(userChannel(userId), true), expected.reached, () =>
        this.emitByItself({ messageId, userId, message, expiresAt: expires }),
      );
      return { deliveredTo: (await local) + nodes.sumOf(watchers) + nodes.sum('anonymous') };
    } finally {
      expected.stop();
    }
  }

  /** Without pub/sub this node may have missed the acknowledgement by a device on another node: later devices are not shown it. */
  private async emitByItself(message: Api.AcknowledgedMessage): Promise<void> {
    const { deliveries } = this.parts;
    const { messageId, userId } = message;
    try {
      if (await this.isAcknowledged(messageId, userId)) deliveries.acknowledged(messageId, userId);
    } catch (error) {
      // The message is stored, and shown once too often at worst.
      if (!(error instanceof EngineUnavailableError)) throw error;
    }
    deliveries.message(message);
  }

  async ack(messageId: string, scope: Scope): Promise<Api.AckResult> {
    const { runner, partitions, deliveries } = this.parts;
    const users = scope === 'all' ? [await runner.run(OWNER, partitions.of(messageId), { id: messageId })] : scope;
    for (const userId of users) {
      if (userId === undefined) continue;
      const { status, user } = await runner.run(ACK, partitions.of(userId), { id: messageId, scope });
      if (status === 'not_found' || user === undefined) continue;
      if (status !== 'acknowledged') return 'repeated';
      deliveries.acknowledged(messageId, user);
      return status;
    }
    return 'not_found';
  }

  async isAcknowledged(messageId: string, userId: string): Promise<boolean> {
    const { runner, partitions } = this.parts;
    return (await runner.run(ACKNOWLEDGED, partitions.of(userId), { id: messageId })) !== undefined;
  }

  async unacknowledged(userId: string, limit: number, cursor?: string): Promise<Page<Api.AcknowledgedMessage>> {
    checkCursor(cursor, CURSOR);
    return this.unacknowledgedFrom(cursor ?? '-inf', userId, limit);
  }

  /** @param from the start of an interval of orders, which are microseconds of Redis' clock */
  async unacknowledgedFrom(from: string, userId: string, limit: number): Promise<Page<Api.AcknowledgedMessage>> {
    const { runner, partitions } = this.parts;
    const page = { user: userId, from, limit, pageBytes: PAGE_BYTES };
    const { messages, nextFrom } = await runner.run(UNACKNOWLEDGED, partitions.of(userId), page);
    const items = messages.map(({ id, message, expires }) => ({
      messageId: id,
      userId,
      message: JSON.parse(message) as JsonObject,
      expiresAt: expires,
    }));
    return { items, ...(nextFrom !== undefined && { cursor: nextFrom }) };
  }

  /** What waits in all partitions. */
  async counts(agesMs?: readonly number[]): Promise<Counts> {
    const { runner, partitions } = this.parts;
    const ages = agesMs ?? [];
    const counts = await Promise.all(partitions.all.map((partition) => runner.run(COUNTS, partition, { ages })));
    return {
      pendingConfirmations: counts.reduce((sum, { pendingConfirmations }) => sum + pendingConfirmations, 0),
      unacknowledgedMessages: counts.reduce((sum, { unacknowledgedMessages }) => sum + unacknowledgedMessages, 0),
      ...(agesMs && { younger: ages.map((_, index) => counts.reduce((sum, { younger }) => sum + (younger[index] ?? 0), 0)) }),
    };
  }

  /** Forwards to the task's user, whose nodes listen in another partition. @returns how many of others' connections that may reach */
  private async forward(userId: string, uid: string, publication: Api.Publication): Promise<number> {
    const { runner, nodes, partitions } = this.parts;
    const message = `${publicationHead(uid, publication)}\n${publication.text}`;
    return nodes.sumOf(await runner.run(FORWARD, partitions.of(userId), { channel: userChannel(userId), message }));
  }

  /** Whether pub/sub brings what is published on a channel to this node. */
  private isLive(channel: string, anonymousToo: boolean): boolean {
    const { subscriptions } = this.parts;
    return subscriptions.isLive(channel) || (anonymousToo && subscriptions.isLive(EVERYTHING));
  }
}
