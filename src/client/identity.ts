/** Who the client is: a user of open mode, or the holder of a token, which is renewed before it ends. */
import type { AuthenticatedReply } from '../protocol/replies.js';
import type { ServerClock } from './clock.js';
import { ClientClosedError, ConnectionLostError } from './errors.js';
import { LONGEST_MS } from './platform.js';
import type { Requests } from './requests.js';

export interface IdentityOptions {
  /** Open mode: the user's id. Beside `token`, which says who the user is, it counts for nothing here. */
  userId?: string;
  /** Secure mode: gives a valid token. Called when there is none yet, and again when the last one ends or is refused. */
  token?: () => string | Promise<string>;
}

/** A token is renewed this long before it ends. */
const RENEW_BEFORE_MS = 30_000;
/** A new connection takes no token that ends sooner than this. */
const LEAST_LEFT_MS = 2000;

export interface Identity {
  /** The user, once it is known. */
  readonly userId: string | undefined;
  /** Names what tabs may share: the connection of one user. `undefined` where the user is not known. */
  readonly shareKey: string | undefined;
  /** The channel of the user, once the user is known. */
  readonly channel: string | undefined;
  /** The header of REST requests. */
  readonly authorization: string | undefined;
  /** Whether a prompt is another user's: in open mode a connection is shown every user's until it has subscribed to its own. */
  isForeign(userId: unknown): boolean;
  /** Before a connection: gets a token, unless the last one is still good. @throws what `token` throws */
  prepare(): Promise<void>;
  /** First on a connection. @throws ServerError, ConnectionLostError */
  authenticate(): Promise<void>;
  /** The server's clock is known: a token is renewed before it ends by that clock. */
  renewInTime(): void;
  onLost(code: number): void;
}

export function createIdentity(
  options: IdentityOptions,
  requests: Requests,
  clock: ServerClock,
  report: (error: unknown) => void,
): Identity {
  let userId = options.token ? undefined : options.userId;
  let token: string | undefined;
  let expiresAt = Infinity;
  let renewal: ReturnType<typeof setTimeout> | undefined;

  const prepare = async (): Promise<void> => {
    if (token !== undefined && expiresAt - clock.now() > LEAST_LEFT_MS) return;
    token = await options.token?.();
    expiresAt = Infinity;
  };

  const authenticate = async (): Promise<void> => {
    if (token === undefined) return;
    const reply = (await requests.passing({ action: 'authenticate', token })) as Partial<AuthenticatedReply>;
    userId = reply.user_id;
    expiresAt = reply.expires_at == null ? Infinity : reply.expires_at * 1000;
  };

  const renewInTime = (): void => {
    clearTimeout(renewal);
    const endsInMs = expiresAt - clock.now();
    if (endsInMs === Infinity) return;
    const inMs = Math.max(endsInMs - RENEW_BEFORE_MS, endsInMs / 2, 0);
    renewal = setTimeout(() => void renew(), Math.min(inMs, LONGEST_MS));
  };

  const renew = async (): Promise<void> => {
    try {
      token = undefined;
      await prepare();
      await authenticate();
      renewInTime();
    } catch (error) {
      // The server closes with 4401 when the old token ends, and the next connection asks for another.
      if (!(error instanceof ConnectionLostError || error instanceof ClientClosedError)) report(error);
    }
  };

  return {
    get userId() {
      return userId;
    },
    get shareKey() {
      return options.token ? subjectOf(token) : (userId ?? '');
    },
    get channel() {
      return userId && `user:${userId}`;
    },
    get authorization() {
      return token && `Bearer ${token}`;
    },
    isForeign: (other) => !options.token && userId !== undefined && other !== userId,
    prepare,
    authenticate,
    renewInTime,
    onLost(code) {
      clearTimeout(renewal);
      if (code === 4401) token = undefined;
    },
  };
}

/** The user that a JWT names. Other tokens name nobody to this side. */
function subjectOf(token: string | undefined): string | undefined {
  try {
    const payload = token?.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/');
    return (JSON.parse(atob(payload ?? '')) as { sub?: string }).sub;
  } catch {
    return undefined;
  }
}
