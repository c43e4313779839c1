/** A connection as the audit trail names it. */
import type { Connection } from '../connection/connection.js';
import type { Origin } from '../access/audit-entry.js';

export function originOf(connection: Connection): Origin {
  const { userId, address } = connection;
  return { by: userId === undefined ? null : { kind: 'user', id: userId }, means: 'websocket', address };
}
