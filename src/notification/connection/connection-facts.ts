/** What is measured of one connection, for people who operate the service. */
import type { Connection } from './connection.js';

export interface ConnectionFacts {
  connectionId: string;
  /** Absent: anonymous, or without a token so far. */
  userId?: string;
  /** The peer's address. */
  address: string;
  /** Unix milliseconds. */
  openedAt: number;
  /** Of the last protocol-level ping, in milliseconds; absent before the first pong. */
  roundTripMs?: number;
  /** How much the round-trip times vary, in milliseconds; absent before the second pong. */
  roundTripSpreadMs?: number;
  /** Bytes that wait to be sent. */
  queueBytes: number;
}

export function factsOf({ id, userId, address, connectedAt, roundTrips, waitingBytes }: Connection): ConnectionFacts {
  return {
    connectionId: id,
    userId,
    address,
    openedAt: connectedAt,
    roundTripMs: roundTrips.lastMs,
    roundTripSpreadMs: roundTrips.spreadMs,
    queueBytes: waitingBytes,
  };
}
