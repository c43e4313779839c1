/**
 * Counts a connection's frames. Over the limit it is told so; when it goes on for as many frames as the limit allows in
 * a second, it is closed.
 */
import { CLOSE } from '../../protocol/codes.js';
import type { Connection } from '../connection/connection.js';
import { TokenBucket } from '../connection/token-bucket.js';
import { NotificationError } from '../notification.errors.js';
import { errorFrame } from './error-frame.js';

export interface RateSettings {
  /** Frames a second. */
  rateLimit: number;
  /** Frames at once. */
  rateBurst: number;
}

export class Limiter {
  private readonly bucket: TokenBucket;
  private refused = 0;

  constructor(
    private readonly connection: Connection,
    private readonly settings: RateSettings,
  ) {
    this.bucket = new TokenBucket(settings.rateLimit, settings.rateBurst);
  }

  /** Whether one more frame, or protocol-level ping, is taken. */
  admits(): boolean {
    if (this.bucket.take()) {
      this.refused = 0;
      return true;
    }
    this.refused += 1;
    if (this.refused <= this.settings.rateLimit)
      this.connection.reply(errorFrame(new NotificationError('RATE_LIMITED', 'too many frames')));
    else void this.connection.close(CLOSE.RATE_LIMITED);
    return false;
  }
}
