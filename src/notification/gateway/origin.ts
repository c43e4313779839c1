/** A connection as the audit trail names it. */
import type { Connection } from '../connection/connection.js';
import type { Origin } from '../notification.options.js';

export function originOf(connection: Connection): Origin {
  return { by: connection.userId ?? null, means: 'websocket', address: connection.address };
}
