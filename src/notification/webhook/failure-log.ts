/**
 * What the log is told of a receiver that fails: that it began, and that it is over; of one that wavers, and of notices that are
 * given up, once a minute.
 */
import { Date } from '../pacing/time-source.js';

const QUIET_MS = 60_000;

export class FailureLog {
  private failing = false;
  private saidAt = -Infinity;
  private isSaid = false;
  private droppedAt = -Infinity;
  private untold = 0;

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
    this.isSaid = this.now() - this.saidAt >= QUIET_MS;
    if (!this.isSaid) return;
    this.saidAt = this.now();
    this.warn(`the webhook’s receiver fails (${reason}); what it misses is sent again`);
  }

  succeeded(): void {
    if (!this.failing) return;
    this.failing = false;
    if (this.isSaid) this.warn('the webhook’s receiver takes what it is sent again');
  }

  /** So many notices were given up. */
  dropped(count: number): void {
    this.untold += count;
    if (this.now() - this.droppedAt < QUIET_MS) return;
    this.droppedAt = this.now();
    this.warn(`${this.untold} notices were not delivered within the retention, and are given up`);
    this.untold = 0;
  }
}
