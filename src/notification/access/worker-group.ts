/** Several processes that share one port and count as one node: what counts the places of their connections. */

import type { Registry } from 'prom-client';

/** `unauthenticated`: of a connection that waits for a token. */
export type PlaceKind = 'regular' | 'unauthenticated';

/** One connection's place among those that a node takes. */
export interface Place {
  /** Gives the place back. Repeating it does nothing. */
  release(): void;
  /** Runs `listener` when the place is given to a newer connection, at once if that has happened already. */
  onDisplaced(listener: () => void): void;
}

/** The processes that share one port and count as one node. */
export interface WorkerGroup {
  /** The node's name, the same in all its processes. No spaces, braces and dots. */
  readonly nodeName: string;
  /** Takes one of the node's `maxConnections` places. @returns `undefined` when all are taken */
  takePlace(kind: PlaceKind): Promise<Place | undefined>;
  /** Connections of all processes. */
  countConnections(): Promise<number>;
  /** The metrics of all processes that answer. */
  readMetrics(): Promise<Registry>;
}
