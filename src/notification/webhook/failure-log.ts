/**
 * Logs when the receiver begins to fail and when it works again. A receiver that changes often, and events that are given up,
 * are logged at most once a minute.
 */
import { Date } from '../pacing/time-source.js';

const QUIET_MS = 60_000;

export class FailureLog {
  private failing = false;
  private loggedAt = -Infinity;
  private isLogged = false;
  private dropsLoggedAt = -Infinity;
  private unloggedDrops = 0;

  constructor(
    private readonly warn: (message: string) => void,
    private readonly now: () => number = Date.now,
  ) {}

  /** Whether the last attempt failed. */
  get isFailing(): boolean {
    return this.failing;
  }

  failed(reason: string): void {
    if (this.failing) return;
    this.failing = true;
    this.isLogged = this.now() - this.loggedAt >= QUIET_MS;
    if (!this.isLogged) return;
    this.loggedAt = this.now();
    this.warn(`the webhook’s receiver fails (${reason}); its events are sent again`);
  }

  succeeded(): void {
    if (!this.failing) return;
    this.failing = false;
    if (this.isLogged) this.warn('the webhook’s receiver accepts events again');
  }

  /** @param count webhook events that were given up */
  dropped(count: number): void {
    this.unloggedDrops += count;
    if (this.now() - this.dropsLoggedAt < QUIET_MS) return;
    this.dropsLoggedAt = this.now();
    this.warn(`${this.unloggedDrops} webhook events were not delivered within the retention, and are given up`);
    this.unloggedDrops = 0;
  }
}
