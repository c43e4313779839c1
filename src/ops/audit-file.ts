/** The audit trail in a file of its own, to which lines are only ever added. */
import { pino } from 'pino';
import type { AuditEntry } from '../notification/index.js';

export function auditFile(path: string): (entry: AuditEntry) => void {
  const file = pino(
    { base: undefined, timestamp: false },
    pino.destination({ dest: path, append: true, mkdir: true, sync: true }),
  );
  return (entry) => file.info(entry);
}
