/** Publications, positions and history, and acknowledged messages. */
import type { JsonObject } from '../../../../protocol/confirmation.js';
import { parseChannel, userChannel } from '../../../../protocol/channels.js';
import { EVERYTHING, PAGE_BYTES } from '../../engine.js';
import type * as Api from '../../engine.js';
import { checkCursor } from '../../page.js';
import type { Context } from '../context.js';
import { groups, list, maybe, text } from '../reply-decoder.js';
import {
  ACK,
  ACKNOWLEDGED,
  COUNTS,
  HISTORY_AFTER,
  KEEP,
  NAME_OWNER,
  OWNER,
  POSITION,
  PUBLISH,
  UNACKNOWLEDGED,
} from '../scripts/message.js';
import { FORWARD } from '../scripts/node.js';
import { scopeText } from '../scripts/script.js';

/** The start of an interval. */
const CURSOR = /^\(\d{1,17}$/;

export class RedisBroker implements Api.Broker {
  private published = 0;

  constructor(private readonly context: Context) {}

  async publish({ channel, message, recoverable }: Api.PublishRequest): Promise<Api.PublishResult> {
    const { deliveries, nodes, partitions, settings } = this.context;
    const kind = parseChannel(channel).kind;
    const anonymousToo = kind === 'user' || kind === 'task';
    const uid = `${nodes.id} ${(this.published += 1)}`;
    const body = JSON.stringify(message);
    const expected = deliveries.expect(uid);
    try {
      const [epoch, offset, watchers, owner] = list(
        await this.context.run(
          PUBLISH,
          partitions.ofChannel(channel),
          channel,
          body,
          uid,
          recoverable ? '1' : '',
          settings.historySize,
          settings.historyTtlMs,
          this.idleMs,
          anonymousToo ? '1' : '',
          settings.retentionMs,
        ),
      );
      const position = maybe(offset) === undefined ? undefined : { epoch: text(epoch), offset: Number(offset) };
      const audienceUserId = maybe(owner);
      const publication: Api.Publication = {
        channel,
        text: body,
        ...(position && { position }),
        ...(audienceUserId !== undefined && { audienceUserId }),
      };
      const local = deliveries.own(this.isWatched(channel, anonymousToo), expected.reached, () =>
        deliveries.arrived(uid, publication),
      );
      let others = kind === 'broadcast' ? nodes.sum('connections') : nodes.sumOf(watchers);
      if (anonymousToo) others += nodes.sum('anonymous');
      if (audienceUserId !== undefined) others += await this.forward(audienceUserId, uid, publication);
      return { deliveredTo: (await local) + others, ...(position && { position }) };
    } finally {
      expected.stop();
    }
  }

  async position(channel: string): Promise<Api.StreamPosition> {
    const { partitions, deliveries } = this.context;
    const [epoch, offset] = list(await this.context.run(POSITION, partitions.ofChannel(channel), channel));
    const position = { epoch: text(epoch), offset: Number(offset) };
    deliveries.standsAt(channel, position);
    return position;
  }

  async history({ channel, since, limit }: Api.HistoryRequest): Promise<Api.HistoryResult> {
    const [whole, epoch, offset, found] = list(
      await this.context.run(
        HISTORY_AFTER,
        this.context.partitions.ofChannel(channel),
        channel,
        since.epoch,
        since.offset,
        Math.max(1, limit),
        this.context.settings.historyTtlMs,
        PAGE_BYTES,
      ),
    );
    const head = { epoch: text(epoch), offset: Number(offset) };
    if (whole !== '1') return { complete: false, head };
    return {
      complete: true,
      publications: [...groups(found, 2)].map(([at, message]) => ({
        message: JSON.parse(text(message)) as JsonObject,
        offset: Number(at),
      })),
      head,
    };
  }

  watch(channel: string): Promise<void> {
    return this.context.watches.add(channel);
  }

  async unwatch(channel: string): Promise<void> {
    const { watches, deliveries } = this.context;
    await watches.remove(channel);
    if (watches.count(channel) === 0) deliveries.forget(channel);
  }

  async sendAcknowledged({ messageId, userId, message, ttlMs }: Api.SendAcknowledgedRequest): Promise<Api.PublishResult> {
    const { deliveries, nodes, partitions } = this.context;
    // Before the message itself: whoever sees it may acknowledge it by its id alone.
    const lives = Math.max(1, ttlMs + 60_000);
    await this.context.run(NAME_OWNER, partitions.of(messageId), messageId, userId, lives);
    const expected = deliveries.expect(messageId);
    try {
      const [isNew, watchers, expires] = list(
        await this.context.run(KEEP, partitions.of(userId), messageId, userId, JSON.stringify(message), ttlMs, nodes.id),
      );
      if (isNew !== '1') return { deliveredTo: 0 };
      const local = deliveries.own(
        this.isWatched(userChannel(userId), true),
        expected.reached,
        () => void deliveries.message({ messageId, userId, message, expiresAt: Number(expires) }),
      );
      return { deliveredTo: (await local) + nodes.sumOf(watchers) + nodes.sum('anonymous') };
    } finally {
      expected.stop();
    }
  }

  async ack(messageId: string, scope: Api.Scope): Promise<Api.AckResult> {
    const { partitions, deliveries } = this.context;
    const users = scope === 'all' ? [maybe(await this.context.run(OWNER, partitions.of(messageId), messageId))] : scope;
    for (const userId of users) {
      if (userId === undefined) continue;
      const [status, user] = list(await this.context.run(ACK, partitions.of(userId), messageId, scopeText(scope)));
      if (status === 'not_found') continue;
      if (status === 'acknowledged') deliveries.acknowledged(messageId, text(user));
      return status === 'acknowledged' ? 'acknowledged' : 'repeated';
    }
    return 'not_found';
  }

  async isAcknowledged(messageId: string, userId: string): Promise<boolean> {
    return maybe(await this.context.run(ACKNOWLEDGED, this.context.partitions.of(userId), messageId)) !== undefined;
  }

  async unacknowledged(userId: string, limit: number, cursor?: string): Promise<Api.Page<Api.AcknowledgedMessage>> {
    checkCursor(cursor, CURSOR);
    return this.unacknowledgedFrom(cursor ?? '-inf', userId, limit);
  }

  /** @param start of an interval of orders, which are microseconds of Redis' clock */
  async unacknowledgedFrom(start: string, userId: string, limit: number): Promise<Api.Page<Api.AcknowledgedMessage>> {
    const [found, next] = list(await this.context.run(UNACKNOWLEDGED, this.context.partitions.of(userId), userId, start, limit));
    const items = [...groups(found, 3)].map(([messageId, message, expiresAt]) => ({
      messageId: text(messageId),
      userId,
      message: JSON.parse(text(message)) as JsonObject,
      expiresAt: Number(expiresAt),
    }));
    const more = maybe(next);
    return { items, ...(more !== undefined && { cursor: more }) };
  }

  async counts(): Promise<Api.Counts> {
    const counts = await Promise.all(this.context.partitions.all.map((partition) => this.context.run(COUNTS, partition)));
    const sum = (index: number): number => counts.reduce<number>((total, count) => total + Number(list(count)[index]), 0);
    return { pendingConfirmations: sum(0), unacknowledgedMessages: sum(1) };
  }

  /** To the task's user, whose nodes listen in another partition. @returns how many of others' connections that may reach */
  private async forward(
    userId: string,
    uid: string,
    { channel, text: body, position, audienceUserId }: Api.Publication,
  ): Promise<number> {
    const { nodes, partitions } = this.context;
    const head = JSON.stringify([
      'publication',
      uid,
      channel,
      position?.epoch ?? false,
      position ? String(position.offset) : false,
      audienceUserId,
    ]);
    return nodes.sumOf(await this.context.run(FORWARD, partitions.of(userId), userChannel(userId), `${head}\n${body}`));
  }

  private isWatched(channel: string, anonymousToo: boolean): boolean {
    const { watches } = this.context;
    return watches.isLive(channel) || (anonymousToo && watches.isLive(EVERYTHING));
  }

  private get idleMs(): number {
    return Math.max(this.context.settings.retentionMs, this.context.settings.historyTtlMs);
  }
}
