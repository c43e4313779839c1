/**
 * The audit trail: one line for each prompt, decision, cancellation, revocation and refused attempt. Who, what, when, from
 * where, by which means; never a token, never what a message says.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ErrorCode } from '../../protocol/codes.js';
import { ResolvedOptions, type AuditEntry } from '../notification.options.js';

/** What an entry's writer knows; the time is added. */
export type AuditRecord = Omit<AuditEntry, 'at'>;

/** Errors that say: this was not yours to do. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'ALREADY_RESOLVED',
  'STALE_PROMPT',
]);

/** Whether an error is worth a line of the trail. */
export const isRefusal = (code: ErrorCode): boolean => REFUSALS.has(code);

@Injectable()
export class AuditTrail {
  private readonly logger = new Logger('Audit');
  private readonly write: (entry: AuditEntry) => void;

  constructor(@Inject(ResolvedOptions) options: ResolvedOptions) {
    this.write = options.audit ?? ((entry) => this.logger.log(JSON.stringify(entry)));
  }

  /** A trail that cannot be written is an error in the log; the act itself has happened. */
  record(entry: AuditRecord): void {
    try {
      this.write({ at: Date.now(), ...entry });
    } catch (error) {
      this.logger.error(`an audit entry could not be written: ${String(error)}`);
    }
  }
}
