/**
 * Delivers publications to this node's connections.
 *
 * Audiences: a `user:` channel is that user's connections. A `task:` channel is its subscribers and the task's user. A named
 * channel is its subscribers. `broadcast` is every connection. Anonymous connections see every user's and every task's
 * channel. An unauthenticated connection is in no audience.
 */
import { Injectable } from '@nestjs/common';
import type { Channel } from '../../protocol/channels.js';
import type { Connection } from '../connection/connection.js';
import { PublicationFrames } from '../connection/frame.js';
import { Hub } from '../connection/hub.js';
import { conflatedType } from '../engine/conflation.js';
import type { Publication } from '../engine/engine.js';
import { Recoveries } from './recoveries.js';
import { SubscriptionIndex } from './subscription-index.js';

@Injectable()
export class Delivery {
  constructor(
    private readonly hub: Hub,
    private readonly index: SubscriptionIndex,
    private readonly recoveries: Recoveries,
  ) {}

  /**
   * Delivers a publication. A subscription gets it in its place in the channel. Other connections get it without a position.
   * @returns how many connections it reached
   */
  publish(publication: Publication): number {
    const { channel, text, position, audienceUserId, conflationKey } = publication;
    const frames = new PublicationFrames(channel.name, text, conflationKey && conflatedType(conflationKey), conflationKey);
    const isBulk = channel.kind !== 'user';
    const subscribers = this.index.subscribersOf(channel.name);
    let reached = 0;
    for (const connection of this.audience(channel, audienceUserId)) {
      if (!connection.isOpen) continue;
      reached += 1;
      const subscription = position && subscribers.get(connection);
      if (!subscription) {
        connection.send(frames.plain, isBulk);
        continue;
      }
      const placement = subscription.place(position);
      if (placement === 'next') connection.send(frames.positioned(position.offset), isBulk);
      else if (placement === 'gap') this.recoveries.catchUp(subscription);
    }
    return reached;
  }

  /**
   * The connections that a message on a channel is for, each once. Subscriptions to a task that belongs to another user by
   * now end.
   * @param audienceUserId a task's user
   */
  audience(channel: Channel, audienceUserId?: string): Iterable<Connection> {
    switch (channel.kind) {
      case 'broadcast':
        return this.hub.identified;
      case 'user':
        return [...this.hub.watching(channel.userId)];
      case 'task': {
        for (const subscription of [...this.index.subscribersOf(channel.name).values()])
          if (subscription.isForeign(audienceUserId)) void subscription.revoke();
        const owners = audienceUserId === undefined ? [] : this.hub.ofUser(audienceUserId);
        return new Set([...this.index.subscribersOf(channel.name).keys(), ...owners, ...this.hub.anonymousConnections]);
      }
      case 'named':
        return this.index.subscribersOf(channel.name).keys();
      default:
        return channel satisfies never;
    }
  }
}
