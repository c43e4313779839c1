/**
 * This node's connections: by user, by channel, anonymous, all. It answers "who is to be sent this?" and sends it.
 *
 * Audiences: a `user:` channel is that user's connections; a `task:` channel its subscribers and the task's user;
 * a named channel its subscribers; `broadcast` everybody. Anonymous connections see every user's and every task's.
 * An unauthenticated connection is in no audience.
 */
import { parseChannel } from '../../protocol/channels.js';
import type { StreamPosition, SubscriptionEnded } from '../../protocol/messages.js';
import type { Connection, Identity } from './connection.js';
import { OutboundFrame, PublicationFrames } from './frame.js';
import { Subscription } from './subscription.js';

/** What of an engine's publication is delivered. */
export interface Delivered {
  channel: string;
  /** The message, as JSON. */
  text: string;
  position?: StreamPosition;
  /** The task's user, for a task's channel. */
  audienceUserId?: string;
}

export class Hub {
  private readonly all = new Map<string, Connection>();
  private readonly anonymous = new Set<Connection>();
  private readonly users = new Map<string, Set<Connection>>();
  private readonly channels = new Map<string, Set<Connection>>();
  /** What was decided while a list of pending prompts is being read, one for each such reading. */
  private readonly readings = new Set<Set<string>>();

  get size(): number {
    return this.all.size;
  }

  /** All of them, unauthenticated ones included. */
  get connections(): IterableIterator<Connection> {
    return this.all.values();
  }

  byId(connectionId: string): Connection | undefined {
    return this.all.get(connectionId);
  }

  ofUser(userId: string): ReadonlySet<Connection> {
    return this.users.get(userId) ?? NOBODY;
  }

  add(connection: Connection): void {
    this.all.set(connection.id, connection);
    this.enter(connection);
  }

  remove(connection: Connection): void {
    if (!this.all.delete(connection.id)) return;
    this.leave(connection);
    for (const channel of [...connection.subscriptions.keys()]) this.unsubscribe(connection, channel);
  }

  /** Makes the connection somebody else. */
  identify(connection: Connection, identity: Identity): void {
    this.leave(connection);
    connection.identity = identity;
    if (this.all.has(connection.id)) this.enter(connection);
  }

  /**
   * Begins a subscription; until a recovery makes it live, publications are noted, not sent.
   * @param ownerId secure mode: the user as whose task the channel may be heard
   * @returns `undefined` where there is one already, or the connection is gone
   */
  subscribe(connection: Connection, channel: string, ownerId?: string): Subscription | undefined {
    if (!this.all.has(connection.id) || connection.subscriptions.has(channel)) return undefined;
    const subscription = new Subscription(ownerId);
    connection.subscriptions.set(channel, subscription);
    addTo(this.channels, channel, connection);
    return subscription;
  }

  unsubscribe(connection: Connection, channel: string): void {
    connection.subscriptions.delete(channel);
    connection.unfollow(recoveryOf(channel));
    deleteFrom(this.channels, channel, connection);
  }

  /** Ends a subscription whose right has ended, and says so. */
  revoke(connection: Connection, channel: string): void {
    this.unsubscribe(connection, channel);
    connection.send(new OutboundFrame({ type: 'unsubscribed', channel, reason: 'forbidden' } satisfies SubscriptionEnded));
  }

  /** Every channel that a connection is subscribed to. */
  get subscribedChannels(): string[] {
    return [...this.channels.keys()];
  }

  subscribersOf(channel: string): ReadonlySet<Connection> {
    return this.channels.get(channel) ?? NOBODY;
  }

  /**
   * Reads pending prompts for a reply. What is decided meanwhile is in `decided` and must not be in the reply, which would
   * come after the notice.
   */
  async readPending<Result>(read: (decided: ReadonlySet<string>) => Promise<Result>): Promise<Result> {
    const decided = new Set<string>();
    this.readings.add(decided);
    try {
      return await read(decided);
    } finally {
      this.readings.delete(decided);
    }
  }

  /** A prompt was decided. */
  noteDecided(callbackId: string): void {
    for (const decided of this.readings) decided.add(callbackId);
  }

  /** Everybody who is to see what concerns a user: the user's connections, and anonymous ones. */
  *watching(userId: string): Generator<Connection> {
    yield* this.ofUser(userId);
    yield* this.anonymous;
  }

  /**
   * Delivers a publication. A subscription gets it in its place; others get it without a position.
   * @param onGap a subscription lacks something before this publication
   * @returns how many connections it reached
   */
  publish(delivered: Delivered, conflationKey: string | undefined, onGap: (connection: Connection) => void): number {
    const { channel, text, position, audienceUserId } = delivered;
    const frames = new PublicationFrames(channel, text);
    let reached = 0;
    for (const connection of this.audience(channel, audienceUserId)) {
      if (!connection.isOpen) continue;
      const subscription = connection.subscriptions.get(channel);
      reached += 1;
      if (!subscription || !position) {
        connection.send(frames.plain, conflationKey);
        continue;
      }
      const placement = subscription.place(position);
      if (placement === 'next') connection.send(frames.positioned(position.offset));
      else if (placement === 'gap') onGap(connection);
    }
    return reached;
  }

  /**
   * Who a message on a channel is for; each connection once. Subscriptions to a task that is another user's by now end.
   * @param audienceUserId a task's user
   */
  audience(channel: string, audienceUserId?: string): Iterable<Connection> {
    const parsed = parseChannel(channel);
    switch (parsed.kind) {
      case 'broadcast':
        return [...this.all.values()].filter((connection) => connection.identity.kind !== 'unauthenticated');
      case 'user':
        return [...this.watching(parsed.userId)];
      case 'task': {
        for (const connection of [...this.subscribersOf(channel)])
          if (connection.subscriptions.get(channel)?.isForeign(audienceUserId)) this.revoke(connection, channel);
        const owners = audienceUserId === undefined ? NOBODY : this.ofUser(audienceUserId);
        return new Set([...(this.channels.get(channel) ?? NOBODY), ...owners, ...this.anonymous]);
      }
      case 'named':
        return [...(this.channels.get(channel) ?? NOBODY)];
      default:
        return parsed satisfies never;
    }
  }

  private enter(connection: Connection): void {
    if (connection.identity.kind === 'anonymous') this.anonymous.add(connection);
    else if (connection.identity.kind === 'user') addTo(this.users, connection.identity.userId, connection);
  }

  private leave(connection: Connection): void {
    this.anonymous.delete(connection);
    if (connection.identity.kind === 'user') deleteFrom(this.users, connection.identity.userId, connection);
  }
}

const NOBODY: ReadonlySet<Connection> = new Set();

/** The name of the source that recovers a channel. */
export const recoveryOf = (channel: string): string => `recovery ${channel}`;

function addTo(index: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const members = index.get(key);
  if (members) members.add(connection);
  else index.set(key, new Set([connection]));
}

function deleteFrom(index: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const members = index.get(key);
  if (members?.delete(connection) && members.size === 0) index.delete(key);
}
