/** What the engine needs of a Redis server or of a Redis Cluster, and the settings that their clients share. */
import { READING_LEASE_MS } from '../reading-lease.js';

export type Listener = (message: string) => void;

export type Send = (command: string[]) => Promise<unknown>;

export interface RedisClient {
  connect(): Promise<unknown>;
  /** Sends a command to the master that serves `key`. */
  send(key: string, command: string[]): Promise<unknown>;
  /** As `send`, on the connection that WAIT may hold up. */
  write(key: string, command: string[]): Promise<unknown>;
  /** @returns the master that serves `key`, and how to send it a command on the connection of `write` */
  writer(key: string): { master: string; send: Send };
  subscribe(channels: string[], listener: Listener): Promise<unknown>;
  unsubscribe(channel: string, listener: Listener): Promise<unknown>;
  /** Sends a command to every master. */
  askAll(command: string[]): Promise<unknown[]>;
  destroy(): void;
}

export interface ClientEvents {
  /** The connection for pub/sub is there, for the first time or again. */
  onReady: () => void;
  onError: (error: unknown) => void;
}

const RECONNECT_MS = { shortest: 50, longest: 1000 };

export const CLIENT_SETTINGS = {
  // The client's own time-out costs five times as much as `CallDeadlines`.
  commandOptions: { timeout: 0 },
  disableOfflineQueue: true,
  RESP: 3,
} as const;

export const SOCKET_SETTINGS = {
  connectTimeout: 2000,
  // Every connection carries something every second, so a silent one is dead. A node that stands still cannot
  // distinguish its own silence from that of Redis. It keeps its connections for as long as other nodes wait for it.
  socketTimeout: READING_LEASE_MS,
  reconnectStrategy: (retries: number): number =>
    Math.min(RECONNECT_MS.shortest * 2 ** retries, RECONNECT_MS.longest) * (0.75 + Math.random() / 2),
} as const;

/** For a connection that may have nothing to carry: without pings it would count as dead. */
export const PINGED = { pingInterval: 1000 } as const;
