/** The counters of a store that is opened. */
import type { Sqlite } from './sqlite.js';
import type { Counters } from './unit-of-work.js';

export function readCounters(database: Sqlite): Counters {
  const number = (sql: string): number =>
    database.prepare<{ number: number | null }>(`SELECT ${sql} AS number`).get()?.number ?? 0;
  return {
    pending: number(`(SELECT count(*) FROM confirmation INDEXED BY confirmation_pending WHERE state = 'pending')`),
    unacknowledged: number(
      `(SELECT count(*) FROM acknowledged_message INDEXED BY acknowledged_message_waiting WHERE acknowledged_at IS NULL)`,
    ),
    // Decisions that are purged take their numbers with them; `told` does not forget.
    decisions: number(
      `max((SELECT value FROM meta WHERE name = 'told'), (SELECT coalesce(max(decision_seq), 0) FROM confirmation))`,
    ),
    // Not known yet: the first reading of the clock finds it.
    nextDue: 0,
  };
}
