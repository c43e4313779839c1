/**
 * Counts a connection's frames, and the protocol-level pings and pongs that nobody asked for, against its identity's budget.
 *
 *  1. Over the budget the client gets RATE_LIMITED. When it goes on for as many frames as the limit allows in a second, the
 *     connection is closed with 1008.
 *  2. Before authentication a connection has a budget of its own, a few frames, and a refusal is a strike (`Connection`).
 *  3. Many clients may share an address, and with it a budget. A connection that sends little is served even when the others
 *     have spent it: its first frames, and one a second after that.
 */
import type { Principal } from '../access/access.js';
import { Budgets } from '../access/budgets.js';
import { CLOSE } from '../../protocol/codes.js';
import { requestIdOf } from '../../protocol/decode.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import { TokenBucket } from '../pacing/token-bucket.js';
import { NotificationError } from '../notification.errors.js';
import { errorMessage } from '../protocol-error.js';
import { performance } from '../pacing/time-source.js';

const FORGIVEN_AFTER_MS = 1000;
const UNAUTHENTICATED_FRAMES = 10;
const RESERVE_FRAMES = 10;

const ignore = (): void => undefined;
const systemNow = (): number => performance.now();

export interface RateSettings {
  /** Frames a second. */
  rateLimit: number;
  /** Frames at once. */
  rateBurst: number;
}

export class RateLimiter {
  /** Frames before authentication. */
  private unauthenticated = 0;
  private readonly reserve: TokenBucket;
  private refused = 0;
  private refusedAt = 0;

  constructor(
    private readonly connection: Connection,
    private readonly settings: RateSettings,
    private readonly onRefused: (connection: Connection) => void = ignore,
    private readonly budgets: Pick<Budgets, 'take' | 'owe'> = new Budgets(settings),
    private readonly now: () => number = systemNow,
  ) {
    this.reserve = new TokenBucket(1, Math.min(RESERVE_FRAMES, Math.ceil(settings.rateBurst / 10)), now);
  }

  /** Charges an admitted frame as several frames. */
  charge(frames: number): void {
    const { identity, address } = this.connection;
    this.budgets.owe(identity, address, frames);
  }

  /**
   * Whether one more frame, protocol-level ping or unasked pong is taken.
   * @param text of the frame: its refusal carries its `request_id`. Only refused frames are read here, so their number is bounded.
   */
  admits(text?: string): boolean {
    const { identity, address } = this.connection;
    if (identity.kind === 'unauthenticated' ? this.takesUnauthenticated() : this.takes(identity, address)) return true;
    const now = this.now();
    // Tokens trickle in all the time; only a connection that kept to the limit for a second begins again.
    if (now - this.refusedAt >= FORGIVEN_AFTER_MS) this.refused = 0;
    this.refusedAt = now;
    this.refused += 1;
    this.onRefused(this.connection);
    // Not a reply: the frame in work still has its own to come.
    if (this.refused <= this.settings.rateLimit)
      this.connection.send(
        new OutboundFrame(errorMessage(new NotificationError('RATE_LIMITED', 'too many frames'), requestIdOf(text))),
      );
    else void this.connection.close(CLOSE.RATE_LIMITED, true);
    if (identity.kind === 'unauthenticated') this.connection.strike(true);
    return false;
  }

  private takesUnauthenticated(): boolean {
    this.unauthenticated += 1;
    return this.unauthenticated <= UNAUTHENTICATED_FRAMES;
  }

  private takes(principal: Principal, address: string): boolean {
    // Spent beside the budget: a connection that sends much has no reserve left.
    const inReserve = this.reserve.take();
    return this.budgets.take(principal, address) || inReserve;
  }
}
