/** Why Redis failed, in the words of Redis or of the network: one log line per reason and minute. */
import { monotonicMs } from '../../../pacing/time-source.js';

export interface Logger {
  warn(message: string): void;
  error(message: string): void;
}

const REPEAT_AFTER_MS = 60_000;
const MAX_REASONS = 20;

export class ErrorLog {
  /** When each reason was last logged. */
  private readonly logged = new Map<string, number>();
  /** The newest reason; empty before the first. */
  lastReason = '';

  constructor(private readonly logger: Pick<Logger, 'warn'>) {}

  report(error: unknown): void {
    const reason = reasonOf(error);
    this.lastReason = reason;
    const now = monotonicMs();
    if (now - (this.logged.get(reason) ?? -Infinity) < REPEAT_AFTER_MS) return;
    if (this.logged.size >= MAX_REASONS) this.logged.clear();
    this.logged.set(reason, now);
    this.logger.warn(`Redis: ${reason}`);
  }

  /** Redis is there again: every reason is news. */
  reset(): void {
    this.logged.clear();
  }
}

/** @returns one line */
export function reasonOf(error: unknown): string {
  const causes = error instanceof AggregateError ? (error.errors as unknown[]).map(reasonOf).join(', ') : '';
  const text = error instanceof Error ? error.message || causes || error.name : String(error);
  return text.replace(/\s+/g, ' ').trim();
}

export const saysRedis = (error: unknown, code: string): boolean => error instanceof Error && error.message.startsWith(code);
