/** The hook of secure mode. */
import type { IncomingMessage } from 'node:http';

/** Who a connection or a caller is. */
export interface AuthenticatedUser {
  userId: string;
  /** Unix milliseconds. The connection is closed then unless it renews its token. Absent: never. */
  expiresAt?: number;
  /** Unix milliseconds; tokens from before the user's revocation are refused. Absent: revocation refuses it for as long as it is remembered. */
  issuedAt?: number;
  /** The token is a back-end service's: it may do what an API key may. @default false */
  isService?: boolean;
}

/**
 * Checks tokens: the hook of secure mode. With an authenticator nothing is served before it accepts a token.
 * It returns `undefined` for a token that is not valid, and throws when the check itself fails; both refuse.
 */
export interface Authenticator {
  /**
   * Set it to `false` if `authenticate` reads nothing but the token. Each connection then does without its upgrade request,
   * which takes more than a kilobyte, and `authenticate` may be called without one.
   * @default true
   */
  readonly readsRequest?: boolean;
  authenticate(token: string, request: IncomingMessage): Promise<AuthenticatedUser | undefined>;
}
