/**
 * The places that a node's connections take. Connections that wait for a token have places of their own, a tenth as many:
 * they have some seconds only, and when all are taken the oldest of them gives way.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Connection } from '../connection/connection.js';
import type { Place, PlaceKind, WorkerGroup } from '../access/worker-group.js';
import { ResolvedOptions } from '../notification.options.js';

/** A place that somebody else counts. */
export class CountedPlace implements Place {
  private isDisplaced = false;
  private listener: (() => void) | undefined;

  /** @param leave gives the place back; repeating it must do nothing */
  constructor(private readonly leave: (place: CountedPlace) => void) {}

  release(): void {
    this.leave(this);
  }

  onDisplaced(listener: () => void): void {
    if (this.isDisplaced) listener();
    else this.listener = listener;
  }

  /** The place was given to a newer connection. */
  displace(): void {
    this.isDisplaced = true;
    this.listener?.();
  }
}

/** Counts places up to a limit. */
export class PlaceCounter {
  private readonly regular = new Set<CountedPlace>();
  private readonly unauthenticated = new Set<CountedPlace>();
  private readonly leave = {
    regular: (place: CountedPlace): unknown => this.regular.delete(place),
    unauthenticated: (place: CountedPlace): unknown => this.unauthenticated.delete(place),
  };

  constructor(private readonly limit: number) {}

  /** Places that are taken. */
  get size(): number {
    return this.regular.size + this.unauthenticated.size;
  }

  /** @returns `undefined` when all places are taken */
  take(kind: PlaceKind): CountedPlace | undefined {
    const taken = kind === 'regular' ? this.regular : this.unauthenticated;
    if (kind === 'unauthenticated' && taken.size >= Math.ceil(this.limit / 10)) {
      const [oldest] = taken;
      oldest?.release();
      oldest?.displace();
    }
    if (taken.size >= this.limit) return undefined;
    const place = new CountedPlace(this.leave[kind]);
    taken.add(place);
    return place;
  }
}

/** Which of this process's connections holds which place. */
@Injectable()
export class Places {
  private readonly regular = new Map<Connection, Place>();
  private readonly unauthenticated = new Map<Connection, Place>();
  private readonly take: (kind: PlaceKind) => Promise<Place | undefined>;

  constructor(@Inject(ResolvedOptions) { maxConnections, workerGroup }: { maxConnections: number; workerGroup?: WorkerGroup }) {
    const counter = new PlaceCounter(maxConnections);
    this.take = workerGroup ? (kind) => workerGroup.takePlace(kind) : (kind) => Promise.resolve(counter.take(kind));
  }

  /** For a connection that is about to open. @returns `undefined` when all places are taken */
  async reserve(isAuthenticated: boolean): Promise<Place | undefined> {
    return this.take(isAuthenticated ? 'regular' : 'unauthenticated');
  }

  /** The connection holds the place until `leave`. `giveWay` runs when a newer connection takes it, before it has authenticated. */
  hold(connection: Connection, isAuthenticated: boolean, place: Place, giveWay: (connection: Connection) => void): void {
    if (isAuthenticated) {
      this.regular.set(connection, place);
      return;
    }
    this.unauthenticated.set(connection, place);
    place.onDisplaced(() => {
      if (this.unauthenticated.get(connection) === place) giveWay(connection);
    });
  }

  /** A connection that authenticates takes a regular place. @returns `false` when all are taken */
  async promote(connection: Connection): Promise<boolean> {
    if (this.regular.has(connection)) return true;
    const place = await this.take('regular');
    if (!place) return false;
    const earlier = this.unauthenticated.get(connection);
    this.unauthenticated.delete(connection);
    if (earlier) this.regular.set(connection, place);
    // It closed meanwhile.
    else place.release();
    earlier?.release();
    return true;
  }

  leave(connection: Connection): void {
    for (const held of [this.regular, this.unauthenticated]) {
      held.get(connection)?.release();
      held.delete(connection);
    }
  }
}
