/**
 * Every code that a client can get: error codes with their HTTP status, and WebSocket close codes.
 *
 * A close code's range says whether the client reconnects: after 4000-4499 it does, after 4500-4999 it does not.
 */

/** Error code -> the HTTP status that carries it in REST. */
export const ERROR_STATUS = {
  INVALID_JSON: 400,
  UNKNOWN_ACTION: 400,
  INVALID_MESSAGE: 400,
  INVALID_ANSWER: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  ALREADY_RESOLVED: 409,
  STALE_PROMPT: 409,
  CONFLICT: 422,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  BUSY: 503,
  UNAVAILABLE: 503,
  STORE_FULL: 507,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}

/** Every close the server begins, by name. */
export const CLOSE = {
  /** The node stops. The client reconnects after a random pause. */
  SERVICE_RESTART: { code: 1012, reason: 'service restart' },
  /** The node has reached its limit of connections. The client reconnects later. */
  CONNECTION_LIMIT: { code: 1013, reason: 'Server connection limit reached' },
  /** A fault of the server. The client reconnects. */
  INTERNAL: { code: 1011, reason: 'internal error' },
  /** The client keeps sending faster than its limit allows. */
  RATE_LIMITED: { code: 1008, reason: 'rate limit exceeded' },
  /** A frame is larger than the limit. The client reconnects, and does not send it again. */
  TOO_LARGE: { code: 1009, reason: 'frame too large' },
  /** No token arrived in time, or it has expired. The client reconnects with a new one. */
  UNAUTHENTICATED: { code: 4401, reason: 'unauthenticated' },
  /** The user's tokens were revoked. The client reconnects with a new one. */
  REVOKED: { code: 4401, reason: 'revoked' },
  /** The client reads too slowly for what is sent to it. It reconnects and recovers. */
  SLOW: { code: 4408, reason: 'slow' },
  /** A newer connection of the same user replaces this one. The client does not reconnect. */
  REPLACED: { code: 4509, reason: 'replaced' },
} as const satisfies Record<string, CloseReason>;
