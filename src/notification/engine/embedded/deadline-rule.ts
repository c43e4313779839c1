/** The rule of `engine/deadlines.ts` in the embedded engine: whether a deadline is applied now, and to what. */
import { IN_TIME_MS } from '../deadlines.js';
import type { UnitOfWork } from './unit-of-work.js';
import type { AskedRow, ConfirmationRow, PendingRow } from './rows.js';

export class DeadlineRule {
  constructor(private readonly unit: UnitOfWork) {}

  /** Whether what reached the node at a monotonic moment came before the deadline. */
  isTimely({ expires_at }: AskedRow, arrivedAt: number): boolean {
    return expires_at === null || this.unit.clock.at(arrivedAt) < expires_at;
  }

  /** Whether all that reached the node before the deadline has been handed to the store. */
  mayBeApplied(row: ConfirmationRow): row is PendingRow {
    return row.state === 'pending' && row.expires_at !== null && row.expires_at <= this.unit.readUntil();
  }

  /** A default of *proceed* that only a setting gave does not count for a deadline that was missed. */
  proceeds({ on_timeout, on_timeout_by, expires_at }: AskedRow): boolean {
    return on_timeout === 'proceed' && (on_timeout_by === 'caller' || (expires_at !== null && this.isInTime(expires_at)));
  }

  private isInTime(expiresAt: number): boolean {
    const { clock, servingSince } = this.unit;
    return this.unit.now() - expiresAt <= IN_TIME_MS && clock.momentOf(expiresAt) > servingSince;
  }
}
