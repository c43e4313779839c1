/** Who the client is: a user of open mode, or the holder of a token, which is renewed before it ends. */
import type { ServerClock } from './clock.js';
import { ConnectionLostError } from './errors.js';
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

export class Identity {
  userId: string | undefined;
  private token: string | undefined;
  private expiresAt = Infinity;
  private renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly options: IdentityOptions,
    private readonly requests: Requests,
    private readonly clock: ServerClock,
    private readonly report: (error: unknown) => void,
  ) {
    if (!options.token) this.userId = options.userId;
  }

  /** Names what tabs may share: the connection of one user. `undefined` where the user is not known. */
  get shareKey(): string | undefined {
    return this.options.token ? subjectOf(this.token) : (this.userId ?? '');
  }

  /** Whether a prompt is another user's: in open mode a connection is shown every user's until it has subscribed to its own. */
  isForeign(userId: string): boolean {
    return !this.options.token && this.userId !== undefined && userId !== this.userId;
  }

  /** The channel of the user, once the user is known. */
  get channel(): string | undefined {
    return this.userId && `user:${this.userId}`;
  }

  /** The header of REST requests. */
  get authorization(): string | undefined {
    return this.token && `Bearer ${this.token}`;
  }

  /** Before a connection: gets a token, unless the last one is still good. @throws what `token` throws */
  async prepare(): Promise<void> {
    if (this.token !== undefined && this.expiresAt - this.clock.now() > LEAST_LEFT_MS) return;
    this.token = await this.options.token?.();
    this.expiresAt = Infinity;
  }

  /** First on a connection. @throws ServerError, ConnectionLostError */
  async authenticate(): Promise<void> {
    if (this.token === undefined) return;
    const reply = await this.requests.passing({ action: 'authenticate', token: this.token });
    const { user_id: userId, expires_at: expiresAt } = reply as { user_id?: string; expires_at?: number | null };
    this.userId = userId;
    this.expiresAt = expiresAt == null ? Infinity : expiresAt * 1000;
  }

  /** The server's clock is known: a token is renewed before it ends by that clock. */
  renewInTime(): void {
    clearTimeout(this.renewal);
    const endsInMs = this.expiresAt - this.clock.now();
    if (endsInMs === Infinity) return;
    const inMs = Math.max(endsInMs - RENEW_BEFORE_MS, endsInMs / 2, 0);
    this.renewal = setTimeout(() => void this.renew(), Math.min(inMs, LONGEST_MS));
  }

  onLost(code: number): void {
    clearTimeout(this.renewal);
    if (code === 4401) this.token = undefined;
  }

  private async renew(): Promise<void> {
    try {
      this.token = undefined;
      await this.prepare();
      await this.authenticate();
      this.renewInTime();
    } catch (error) {
      // The server closes with 4401 when the old token ends, and the next connection asks for another.
      if (!(error instanceof ConnectionLostError)) this.report(error);
    }
  }
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
