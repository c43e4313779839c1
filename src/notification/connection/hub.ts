/**
 * This node's connections, by identity: of each user, anonymous, and all of them.
 */
import type { Connection, Identity } from './connection.js';
import { factsOf, type ConnectionFacts } from './connection-facts.js';
import { Grouped } from '../pacing/grouped.js';

export class Hub {
  private readonly all = new Map<string, Connection>();
  private readonly withIdentity = new Set<Connection>();
  private readonly anonymous = new Set<Connection>();
  private readonly users = new Grouped<string, Connection>();

  get size(): number {
    return this.all.size;
  }

  /** All of them, unauthenticated ones included. */
  get connections(): IterableIterator<Connection> {
    return this.all.values();
  }

  /** What is measured of each connection, in the order in which they opened. */
  *facts(): Generator<ConnectionFacts> {
    for (const connection of this.all.values()) yield factsOf(connection);
  }

  byId(connectionId: string): Connection | undefined {
    return this.all.get(connectionId);
  }

  ofUser(userId: string): Iterable<Connection> {
    return this.users.of(userId);
  }

  add(connection: Connection): void {
    this.all.set(connection.id, connection);
    this.enter(connection);
  }

  remove(connection: Connection): void {
    if (this.all.delete(connection.id)) this.leave(connection);
  }

  /** Changes a connection's identity. */
  identify(connection: Connection, identity: Identity): void {
    this.leave(connection);
    connection.identify(identity);
    if (this.all.has(connection.id)) this.enter(connection);
  }

  /** The connections that see what concerns a user: the user's own, and anonymous ones. */
  watching(userId: string): Iterable<Connection> {
    const own = this.ofUser(userId);
    return this.anonymous.size === 0 ? own : chain(own, this.anonymous);
  }

  /** The connections that see every user and task: those of open mode without a `user_id`. */
  get anonymousConnections(): ReadonlySet<Connection> {
    return this.anonymous;
  }

  /** Every connection that has an identity or needs none. */
  get identified(): ReadonlySet<Connection> {
    return this.withIdentity;
  }

  private enter(connection: Connection): void {
    if (connection.identity.kind === 'unauthenticated') return;
    this.withIdentity.add(connection);
    if (connection.identity.kind === 'anonymous') this.anonymous.add(connection);
    else this.users.add(connection.identity.userId, connection);
  }

  private leave(connection: Connection): void {
    this.withIdentity.delete(connection);
    this.anonymous.delete(connection);
    if (connection.userId !== undefined) this.users.delete(connection.userId, connection);
  }
}

function* chain(first: Iterable<Connection>, second: Iterable<Connection>): Generator<Connection> {
  yield* first;
  yield* second;
}
