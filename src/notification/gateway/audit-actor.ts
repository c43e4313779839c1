/** A connection as the audit trail names it. */
import type { Connection } from '../connection/connection.js';
import type { AuditActor } from '../access/audit-entry.js';

export function auditActorOf(connection: Connection): AuditActor {
  const { userId, address } = connection;
  return { by: userId === undefined ? null : { kind: 'user', id: userId }, means: 'websocket', address };
}
