/**
 * Joins connections to channels, and lets them leave.
 *
 *  1. A subscription begins before the position is read that the reply gives. What is published meanwhile is noted and
 *     read from history, so that nothing is lost and nothing is repeated.
 *  2. Joining has one place (`begin`) and one undo (`Subscription.end`), which runs when the join fails, when the client
 *     leaves, when the right ends, and when the connection closes.
 *  3. A frame that is refused leaves none of the subscriptions that it began: the client has not been given their epochs.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Access } from '../access/access.js';
import { userChannel, type Channel } from '../../protocol/channels.js';
import type { Subscribed } from '../../protocol/replies.js';
import type { StreamPosition } from '../../protocol/messages.js';
import type { Connection } from '../connection/connection.js';
import { Broker } from '../engine/broker.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { AccessReview } from './access-review.js';
import { Identities } from './identities.js';
import { PendingPrompts } from './pending-prompts.js';
import { Recoveries } from './recoveries.js';
import { SubscriptionIndex } from './subscription-index.js';
import { Subscription, type ChannelState } from './subscription.js';

/** A channel that a client wants to join. */
export interface Target {
  channel: Channel;
  /** The position to recover from. */
  since?: StreamPosition;
}

@Injectable()
export class Subscriptions {
  private readonly logger = new Logger(Subscriptions.name);

  constructor(
    @Inject(Broker) private readonly broker: Broker,
    @Inject(ResolvedOptions) private readonly options: Pick<ResolvedOptions, 'maxSubscriptions'>,
    private readonly access: Access,
    private readonly review: AccessReview,
    private readonly identities: Identities,
    private readonly index: SubscriptionIndex,
    private readonly pending: PendingPrompts,
    private readonly recoveries: Recoveries,
  ) {}

  /**
   * Joins channels concurrently; the user's channel first, since it decides what the connection may join.
   * @returns for each channel, the position up to which the connection has everything or will be given it after the reply
   * @throws NotificationError after every join has ended
   */
  subscribe(connection: Connection, targets: readonly Target[]): Promise<Subscribed[]> {
    return this.pending.whileNoting(async (changes) => {
      const subscribed = await this.joinAll(connection, targets);
      return subscribed.map((one) => ({ ...one, pending: changes.apply(one.channel, connection.userId, one.pending) }));
    });
  }

  private async joinAll(connection: Connection, targets: readonly Target[]): Promise<Subscribed[]> {
    const isNew = ({ channel }: Target): boolean => !this.index.get(connection, channel.name);
    const begun = targets.filter(isNew);
    const user = targets.find(({ channel }) => channel.kind === 'user');
    const asUser = user && this.join(connection, user);
    const joins = targets.map(async (target) => {
      if (asUser && target === user) return asUser;
      if (target.channel.kind !== 'broadcast') await asUser;
      return this.join(connection, target);
    });
    const results = await Promise.allSettled(joins);
    if (results.some(({ status }) => status === 'rejected'))
      await Promise.all(begun.map(async ({ channel }) => this.index.get(connection, channel.name)?.end()));
    return Promise.all(joins);
  }

  /** Leaves a channel. Leaving the own user's channel makes the connection anonymous. */
  async unsubscribe(connection: Connection, channel: Channel): Promise<void> {
    if (channel.kind !== 'user') await this.index.get(connection, channel.name)?.end();
    else if (channel.userId === connection.userId) await this.identities.becomeAnonymous(connection);
  }

  private async join(connection: Connection, { channel, since }: Target): Promise<Subscribed> {
    const ownerId = await this.review.assertMaySubscribe(connection, channel);
    const { name } = channel;
    const standing = this.index.get(connection, name);
    const subscription = standing ?? (await this.begin(connection, channel, ownerId));
    try {
      const { position: head, pending } = await this.read(connection, channel);
      if (subscription.phase === 'ended') {
        if (connection.isOpen) throw new NotificationError('FORBIDDEN', 'the right to this channel has just ended');
        return { channel: name, ...(since ?? head), pending };
      }
      subscription.ownerId = ownerId;
      return { channel: name, ...this.recoveries.afterReply(subscription, head, since), pending };
    } catch (error) {
      if (!standing) await subscription.end();
      throw error;
    }
  }

  /** Begins a subscription if the connection is below `maxSubscriptions`; its identity counts as one. */
  private async begin(connection: Connection, channel: Channel, ownerId: string | undefined): Promise<Subscription> {
    const { name } = channel;
    // The user's channel is watched as long as the connection is that user's (`Identities`).
    const isUsers = channel.kind === 'user';
    const { maxSubscriptions } = this.options;
    if (!isUsers && this.countOf(connection) >= maxSubscriptions)
      throw new NotificationError('FORBIDDEN', `a connection has at most ${maxSubscriptions} subscriptions`);
    let watches = false;
    const subscription = new Subscription(connection, name, (ended) => this.release(ended, watches));
    subscription.ownerId = ownerId;
    this.index.add(subscription);
    // On a connection that has closed meanwhile it has ended already.
    if (isUsers || subscription.phase === 'ended') return subscription;
    watches = true;
    try {
      await this.broker.watch(name);
    } catch (error) {
      await subscription.end();
      throw error;
    }
    return subscription;
  }

  /** The undo of `begin`. The engine repeats by itself what fails here. */
  private async release(subscription: Subscription, watches: boolean): Promise<void> {
    this.index.remove(subscription);
    if (!watches) return;
    try {
      await this.broker.unwatch(subscription.channel);
    } catch (error) {
      this.logger.debug(`a channel could not be left in time: ${String(error)}`);
    }
  }

  private countOf(connection: Connection): number {
    const subscriptions = this.index.of(connection);
    const own = connection.userId !== undefined && subscriptions.has(userChannel(connection.userId));
    return subscriptions.size + (own ? 0 : 1);
  }

  /** Where a channel stands. Joining a user's channel makes the connection that user's. */
  private async read(connection: Connection, channel: Channel): Promise<ChannelState> {
    const { identity } = connection;
    switch (channel.kind) {
      case 'user': {
        // In secure mode it is the identity that the connection has, with the end of its token.
        const isSame = identity.kind === 'user' && identity.userId === channel.userId;
        return this.identities.becomeUser(connection, isSame ? identity : { kind: 'user', userId: channel.userId });
      }
      case 'task': {
        const scope = await this.access.scopeOf(identity);
        const [position, pending] = await Promise.all([
          this.broker.position(channel.name),
          this.pending.idsOfTask(scope, channel.taskId),
        ]);
        return { position, pending };
      }
      case 'broadcast':
      case 'named':
        return { position: await this.broker.position(channel.name), pending: [] };
      default:
        return channel satisfies never;
    }
  }
}
