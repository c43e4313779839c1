/**
 * The audit trail: one entry for each prompt, decision, cancellation, resumption, revocation and refused attempt. Repeated
 * refusals are counted. An entry says who did what, when, from where and by which means; it holds no token and no message.
 */
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { ErrorCode } from '../../protocol/codes.js';
import { ResolvedOptions } from '../notification.options.js';
import type { LogFields } from '../tracing/log-line.js';
import type { AuditEntry } from './audit-entry.js';
import { Refusals, type AuditRecord } from './refusals.js';
import { Date } from '../pacing/time-source.js';

/** Codes of errors that refuse for lack of a right. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'ALREADY_RESOLVED',
  'STALE_PROMPT',
  'RATE_LIMITED',
]);

/** Whether an error is worth an entry in the trail. */
export const isRefusal = (code: ErrorCode): boolean => REFUSALS.has(code);

@Injectable()
export class AuditTrail implements OnApplicationShutdown {
  private readonly logger = new Logger('Audit');
  private readonly refusals = new Refusals((refusal) => this.put(refusal));
  private readonly write: (entry: AuditEntry) => void;

  constructor(@Inject(ResolvedOptions) options: ResolvedOptions) {
    this.write = options.audit ?? ((entry) => this.logger.log(logged(entry)));
  }

  record(entry: AuditRecord): void {
    if (entry.event === 'refused') this.refusals.add(entry);
    else this.put(entry);
  }

  onApplicationShutdown(): void {
    this.refusals.close();
  }

  /** If an entry cannot be written, this logs an error and does not throw: the action has already happened. */
  private put(entry: AuditRecord): void {
    try {
      this.write({ at: Date.now(), ...entry });
    } catch (error) {
      this.logger.error(`an audit entry could not be written: ${String(error)}`);
    }
  }
}

/** In the log an entry has the names by which other lines are found, too. */
const logged = (entry: AuditEntry): AuditEntry & LogFields =>
  Object.assign(
    {},
    entry,
    entry.callbackId !== undefined && { callback_id: entry.callbackId },
    entry.taskId !== undefined && { task_id: entry.taskId },
  );
