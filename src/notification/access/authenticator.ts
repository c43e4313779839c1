/** The hook of secure mode. */
import type { IncomingMessage } from 'node:http';

/** Who a connection or a caller is. */
export interface AuthenticatedUser {
  userId: string;
  /** Unix milliseconds; the connection is closed then unless it authenticates anew. Absent: never. */
  expiresAt?: number;
  /** Unix milliseconds; tokens from before the user's revocation are refused. Absent: revocation refuses it for as long as it is remembered. */
  issuedAt?: number;
  /** The token is a back-end service's: it may do what an API key may. @default false */
  isService?: boolean;
}

/**
 * Checks tokens: the hook of secure mode. Give one and nothing is served before it has said yes.
 * Returning `undefined` means "this token is not valid"; throwing means the check itself failed, and refuses as well.
 */
export interface Authenticator {
  authenticate(token: string, request: IncomingMessage): Promise<AuthenticatedUser | undefined>;
}
