/**
 * Logs when the receiver begins to fail and when it works again. A receiver that changes often, and events that are given up,
 * are logged at most once a minute.
 */
import { QuietLog } from '../pacing/quiet-log.js';

export class FailureLog {
  private readonly quiet: QuietLog;
  private failing = false;
  private isLogged = false;

  constructor(
    private readonly warn: (message: string) => void,
    now?: () => number,
  ) {
    this.quiet = new QuietLog(warn, now);
  }

  /** Whether the last attempt failed. */
  get isFailing(): boolean {
    return this.failing;
  }

  failed(reason: string): void {
    if (this.failing) return;
    this.failing = true;
    this.isLogged = this.quiet.log('failing', `the webhook’s receiver fails (${reason}); its events are sent again`);
  }

  succeeded(): void {
    if (!this.failing) return;
    this.failing = false;
    if (this.isLogged) this.warn('the webhook’s receiver accepts events again');
  }

  /** @param count webhook events that were given up */
  dropped(count: number): void {
    const describe = (all: number): string => `${all} webhook events were not delivered within the retention, and are given up`;
    this.quiet.log('dropped', describe, count);
  }
}
