/** Presence: which users are connected, over all nodes, and with which devices. */

/** One connection of a user. */
export interface Device {
  /** The node that it is connected to. */
  node: string;
  /** Unix milliseconds. */
  connectedAt: number;
  /** The peer's address. */
  address: string;
  /** Of the last described ping, in milliseconds. */
  roundTripMs?: number;
  /** How much the round-trip times vary, in milliseconds. */
  roundTripSpreadMs?: number;
  /** Bytes that waited to be sent when it was described. */
  queueBytes?: number;
}

/** A user's connections, counted over all nodes. */
export interface UserPresence {
  connections: number;
  /** How often the user has come back, within a minute, after a connection had ended. Counting begins again after an hour. */
  reconnects: number;
}

/** A connection that begins this soon after another one of its user has ended is a reconnect. */
export const RECONNECT_WITHIN_MS = 60_000;
/** For how long a user's reconnects are counted. */
export const RECONNECTS_FOR_MS = 3_600_000;

export interface Presence {
  /** Counts a connection as the user's, once. Emits `onEvicted` for the user's oldest connections over the limit, on any node. */
  connect(connectionId: string, userId: string): Promise<{ reconnected: boolean }>;
  disconnect(connectionId: string, userId: string): Promise<void>;
  /** The number of the user's connections on all nodes. */
  count(userId: string): Promise<number>;
  /** How often the user has come back lately: see `UserPresence`. */
  reconnects(userId: string): Promise<number>;
  /** Describes a counted connection for `devices`. A later call replaces the description. */
  describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void>;
  /** The user's connections on all nodes, oldest first. A connection that is not described yet is left out. */
  devices(userId: string): Promise<Device[]>;
}

/** DI token of the same name as the interface. */
export const Presence = Symbol('Presence');
