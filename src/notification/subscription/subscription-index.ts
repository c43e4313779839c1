/**
 * This node's subscriptions, by channel and by connection. A closed connection has none: each ends when its socket closes.
 */
import type { Connection } from '../connection/connection.js';
import type { Subscription } from './subscription.js';

export class SubscriptionIndex {
  private readonly byChannel = new Map<string, Map<Connection, Subscription>>();
  private readonly byConnection = new Map<Connection, Map<string, Subscription>>();

  get(connection: Connection, channel: string): Subscription | undefined {
    return this.byChannel.get(channel)?.get(connection);
  }

  /** One connection's subscriptions, by channel. */
  of(connection: Connection): ReadonlyMap<string, Subscription> {
    return this.byConnection.get(connection) ?? NO_CHANNELS;
  }

  /** One channel's subscriptions, by connection. */
  subscribersOf(channel: string): ReadonlyMap<Connection, Subscription> {
    return this.byChannel.get(channel) ?? NO_SUBSCRIBERS;
  }

  /** Every channel that has a subscription. */
  get channels(): string[] {
    return [...this.byChannel.keys()];
  }

  add(subscription: Subscription): void {
    const { connection, channel } = subscription;
    const isFirst = !this.byConnection.has(connection);
    addTo(this.byConnection, connection, channel, subscription);
    addTo(this.byChannel, channel, connection, subscription);
    if (isFirst) connection.onClosed(this.endAll);
  }

  /** Removes a subscription that has ended. */
  remove(subscription: Subscription): void {
    const { connection, channel } = subscription;
    if (this.get(connection, channel) !== subscription) return;
    deleteFrom(this.byChannel, channel, connection);
    this.byConnection.get(connection)?.delete(channel);
  }

  private readonly endAll = (connection: Connection): void => {
    const subscriptions = [...this.of(connection).values()];
    this.byConnection.delete(connection);
    for (const subscription of subscriptions) void subscription.end();
  };
}

const NO_CHANNELS: ReadonlyMap<string, Subscription> = new Map();
const NO_SUBSCRIBERS: ReadonlyMap<Connection, Subscription> = new Map();

function addTo<Outer, Inner, Value>(index: Map<Outer, Map<Inner, Value>>, outer: Outer, inner: Inner, value: Value): void {
  const members = index.get(outer);
  if (members) members.set(inner, value);
  else index.set(outer, new Map([[inner, value]]));
}

function deleteFrom<Outer, Inner, Value>(index: Map<Outer, Map<Inner, Value>>, outer: Outer, inner: Inner): void {
  const members = index.get(outer);
  if (members?.delete(inner) && members.size === 0) index.delete(outer);
}
