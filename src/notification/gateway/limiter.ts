/**
 * Counts a connection's frames. Over the limit it is told so; when it goes on for as many frames as the limit allows in
 * a second, it is closed.
 */
import { CLOSE } from '../../protocol/codes.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import { TokenBucket } from '../connection/token-bucket.js';
import { NotificationError } from '../notification.errors.js';
import { errorFrame } from './error-frame.js';

const FORGIVEN_AFTER_MS = 1000;

export interface RateSettings {
  /** Frames a second. */
  rateLimit: number;
  /** Frames at once. */
  rateBurst: number;
}

export class Limiter {
  private readonly bucket: TokenBucket;
  private refused = 0;
  private refusedAt = 0;

  constructor(
    private readonly connection: Connection,
    private readonly settings: RateSettings,
    private readonly onRefused: () => void = () => undefined,
  ) {
    this.bucket = new TokenBucket(settings.rateLimit, settings.rateBurst);
  }

  /** A frame that was admitted asks for as much as so many others. */
  charge(frames: number): void {
    this.bucket.owe(frames);
  }

  /** Whether one more frame, or protocol-level ping, is taken. */
  admits(): boolean {
    if (this.bucket.take()) return true;
    const now = performance.now();
    // Tokens trickle in all the time; only who has kept to the limit for a second begins anew.
    if (now - this.refusedAt >= FORGIVEN_AFTER_MS) this.refused = 0;
    this.refusedAt = now;
    this.refused += 1;
    this.onRefused();
    // Not a reply: the frame in work still has its own to come.
    if (this.refused <= this.settings.rateLimit)
      this.connection.send(new OutboundFrame(errorFrame(new NotificationError('RATE_LIMITED', 'too many frames'))));
    else void this.connection.close(CLOSE.RATE_LIMITED, true);
    return false;
  }
}
