/** What a connection is made of: its socket, what the handshake has found out, its limits, and what it reports. */
import type { IncomingMessage } from 'node:http';
import type { SendEvents, SendSocket } from './send-queue.js';

/** What a connection needs of a WebSocket. */
export interface ConnectionSocket extends SendSocket {
  /** Sends a close frame and waits a limited time for the peer's. With `deaf` it reads nothing more. */
  end(code: number, reason: string, deaf: boolean): void;
  /** Sends a protocol-level ping. */
  ping(): void;
  /** Stops and resumes reading. */
  pause(): void;
  resume(): void;
  terminate(): void;
}

export type Identity =
  /** Secure mode, before a valid token. */
  | { kind: 'unauthenticated' }
  /** Open mode, before `subscribe {user_id}`. */
  | { kind: 'anonymous' }
  | {
      kind: 'user';
      userId: string;
      expiresAt?: number;
      issuedAt?: number;
      /** How many revocations had been announced when the token was checked. */
      announcements?: number;
    };

/** What the handshake has found out about the peer. */
export interface Peer {
  identity: Identity;
  address: string;
  /** Whether permessage-deflate was negotiated. */
  compress: boolean;
  /** The upgrade request, if the authenticator reads it at an `authenticate`. */
  request?: IncomingMessage;
}

export interface ConnectionLimits {
  maxOutbox: number;
  maxFramesInWork: number;
}

export interface ConnectionEvents extends SendEvents {
  /** The current frame costs `frames` further tokens of the rate limit. */
  onCharge(frames: number): void;
  /** The socket is read again after a pause. */
  onResumed?(): void;
  /** The connection was sent an error. */
  onErrorReply?(code: string): void;
}
