/** Why Redis failed, in the words of Redis or of the network: one log line per reason and minute. */
import { QuietLog } from '../../../pacing/quiet-log.js';

export interface Logger {
  warn(message: string): void;
  error(message: string): void;
}

export class ErrorLog {
  private readonly quiet: QuietLog;
  /** The newest reason; empty before the first. */
  lastReason = '';

  constructor(logger: Pick<Logger, 'warn'>) {
    this.quiet = new QuietLog((message) => logger.warn(message));
  }

  report(error: unknown): void {
    this.lastReason = reasonOf(error);
    this.quiet.log(this.lastReason, `Redis: ${this.lastReason}`);
  }

  /** Redis is there again: every reason is news. */
  reset(): void {
    this.quiet.reset();
  }
}

/** @returns one line */
export function reasonOf(error: unknown): string {
  const causes = error instanceof AggregateError ? (error.errors as unknown[]).map(reasonOf).join(', ') : '';
  const text = error instanceof Error ? error.message || causes || error.name : String(error);
  return text.replace(/\s+/g, ' ').trim();
}

export const saysRedis = (error: unknown, code: string): boolean => error instanceof Error && error.message.startsWith(code);
