/**
 * Every code a client can meet, in one place: error codes with their HTTP status, and WebSocket close codes.
 *
 * A close code's range tells the client whether to come back: 4000-4499 come back, 4500-4999 do not.
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
  /** The node is going away; come back after a random pause. */
  SERVICE_RESTART: { code: 1012, reason: 'service restart' },
  /** The node has all the connections it takes; come back later. */
  CONNECTION_LIMIT: { code: 1013, reason: 'Server connection limit reached' },
  /** A fault of the server's; come back. */
  INTERNAL: { code: 1011, reason: 'internal error' },
  /** The client keeps sending faster than its limit allows. */
  RATE_LIMITED: { code: 1008, reason: 'rate limit exceeded' },
  /** No token came within the time allowed, or it has expired: come back with a new one. */
  UNAUTHENTICATED: { code: 4401, reason: 'unauthenticated' },
  /** The user's tokens were revoked: come back with a new one. */
  REVOKED: { code: 4401, reason: 'revoked' },
  /** The client does not read as fast as it is written to: come back and recover. */
  SLOW: { code: 4408, reason: 'slow' },
  /** A newer connection of the same user took this one's place: do not come back. */
  REPLACED: { code: 4509, reason: 'replaced' },
} as const satisfies Record<string, CloseReason>;
