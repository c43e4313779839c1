/**
 * The statements on the tables of confirmations. A prompt's text stands in a table of its own, and is read with each row.
 * Every statement names its index, so that no plan depends on statistics.
 */
import type { ConfirmationQuery } from '../confirmation-store.js';
import { readPage } from './read-page.js';
import type { ConfirmationRow, DecidedRow, DecisionRow, OpenRow, PendingRow } from './rows.js';
import type { Sqlite, SqlValue, Statement } from './sqlite.js';

const ASKED = `seq, callback_id, user_id, task_id, step, created_at, expires_at, on_timeout, on_timeout_by, seen_at,
  dismissed_until, state`;
const COLUMNS = `${ASKED}, decision_seq, decided_at, proceed, feedback, choice, form_values, answered_by, reason, via, edited`;

/** @param index the index to walk; the prompt is fetched for each row that it finds, never the other way round */
const select = (index: string, columns = COLUMNS): string =>
  `SELECT ${columns}, prompt FROM confirmation ${index} CROSS JOIN confirmation_prompt USING (seq)`;

/** Which confirmation of a user is pending. */
export type PendingKey = Pick<PendingRow, 'user_id' | 'seq' | 'callback_id'>;

/** Rows that one step of upkeep handles at most. */
const STEP_ROWS = 500;
/** Statements of lists that are kept: filters are few, users in a scope may be many. */
const MAX_LISTS = 100;

export class ConfirmationTable {
  readonly byId: Statement<ConfirmationRow>;
  /** Most calls concern a pending one, which has half of the columns. */
  readonly pendingById: Statement<PendingRow>;
  readonly byKey: Statement<ConfirmationRow & { fingerprint: string | null }>;
  private readonly insertRow: Statement<never>;
  private readonly insertPrompt: Statement<never>;
  private newestSeq: number;
  private readonly update: Statement<never>;
  readonly expired: Statement<PendingRow>;
  readonly expiring: Statement<PendingRow>;
  readonly clearExpiring: Statement<never>;
  readonly updateSeen: Statement<never>;
  readonly updateDismissed: Statement<never>;
  readonly nextDue: Statement<{ moment: number | null }>;
  readonly ofTask: Statement<PendingRow>;
  /** Of the users in a JSON list. */
  readonly pendingOfUsers: Statement<PendingKey>;
  /** Pending rows whose numbers are in a JSON list. */
  readonly pendingBySeq: Statement<PendingRow>;
  readonly pendingCount: Statement<{ pending: number }>;
  private readonly newestPending: Statement<{ seq: number }>;
  private readonly nextPending: Statement<{ seq: number; created_at: number }>;
  private readonly pendingFrom: Statement<{ pending: number }>;
  readonly decided: Statement<DecidedRow>;
  readonly outdated: Statement<{ seq: number; decided_at: number }>;
  readonly remove: Statement<never>;
  readonly removePrompt: Statement<never>;
  private readonly lists = new Map<string, Statement<ConfirmationRow>>();

  constructor(private readonly database: Sqlite) {
    this.byId = database.prepare(`${select('INDEXED BY confirmation_id')} WHERE callback_id = ?`);
    this.pendingById = database.prepare(
      `${select('INDEXED BY confirmation_id', ASKED)} WHERE callback_id = ? AND state = 'pending'`,
    );
    this.byKey = database.prepare(
      `${select('INDEXED BY confirmation_key', `${COLUMNS}, fingerprint`)} WHERE user_id = ? AND key = ?`,
    );
    this.newestSeq = database.prepare<{ seq: number | null }>('SELECT max(seq) AS seq FROM confirmation').get()?.seq ?? 0;
    // `RETURNING` would double the time of an insertion.
    this.insertRow = database.prepare(`INSERT INTO confirmation (seq, callback_id, user_id, task_id, step, created_at,
      expires_at, expiring_at, on_timeout, on_timeout_by, key, fingerprint, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING`);
    this.pendingCount = database.prepare(
      "SELECT count(*) AS pending FROM (SELECT 1 FROM confirmation WHERE user_id = ? AND state = 'pending' LIMIT ?)",
    );
    this.newestPending = database.prepare(`SELECT seq FROM confirmation INDEXED BY confirmation_pending
      WHERE state = 'pending' ORDER BY seq DESC LIMIT 1`);
    this.nextPending = database.prepare(`SELECT seq, created_at FROM confirmation INDEXED BY confirmation_pending
      WHERE state = 'pending' AND seq >= ? ORDER BY seq LIMIT 1`);
    this.pendingFrom = database.prepare(`SELECT count(*) AS pending FROM confirmation INDEXED BY confirmation_pending
      WHERE state = 'pending' AND seq >= ?`);
    this.insertPrompt = database.prepare('INSERT INTO confirmation_prompt VALUES (?, ?)');
    this.update =
      database.prepare(`UPDATE confirmation SET state = ?, decision_seq = ?, decided_at = ?, proceed = ?, feedback = ?, choice = ?,
      form_values = ?, answered_by = ?, reason = ?, via = ?, edited = ? WHERE seq = ? AND state = 'pending'`);
    this.expired = database.prepare(`${select('INDEXED BY confirmation_expires', ASKED)}
      WHERE state = 'pending' AND expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ${STEP_ROWS}`);
    this.expiring = database.prepare(`${select('INDEXED BY confirmation_expiring', ASKED)}
      WHERE state = 'pending' AND expiring_at IS NOT NULL AND expiring_at <= ? ORDER BY expiring_at LIMIT ${STEP_ROWS}`);
    this.clearExpiring = database.prepare(`UPDATE confirmation SET expiring_at = NULL, dismissed_until = NULL WHERE seq = ?`);
    this.updateSeen = database.prepare('UPDATE confirmation SET seen_at = ? WHERE seq = ?');
    this.updateDismissed = database.prepare('UPDATE confirmation SET dismissed_until = ? WHERE seq = ?');
    this.nextDue = database.prepare(`SELECT min(moment) AS moment FROM (
      SELECT min(expires_at) AS moment FROM confirmation INDEXED BY confirmation_expires WHERE state = 'pending' AND expires_at IS NOT NULL
      UNION ALL
      SELECT min(expiring_at) FROM confirmation INDEXED BY confirmation_expiring WHERE state = 'pending' AND expiring_at IS NOT NULL)`);
    this.ofTask = database.prepare(
      `${select('INDEXED BY confirmation_task_pending', ASKED)} WHERE state = 'pending' AND task_id = ? ORDER BY seq`,
    );
    this.pendingOfUsers = database.prepare(`SELECT user_id, seq, callback_id
      FROM json_each(?) AS wanted CROSS JOIN confirmation INDEXED BY confirmation_user_pending ON user_id = wanted.value
      WHERE state = 'pending' AND (expires_at IS NULL OR expires_at > ?) ORDER BY seq`);
    this.pendingBySeq = database.prepare(`SELECT ${ASKED}, prompt FROM json_each(?) AS wanted
      CROSS JOIN confirmation ON seq = wanted.value CROSS JOIN confirmation_prompt USING (seq)`);
    this.decided = database.prepare(`${select('INDEXED BY confirmation_decided')}
      WHERE decision_seq IS NOT NULL AND decision_seq > ? AND decision_seq <= ? ORDER BY decision_seq LIMIT ${STEP_ROWS}`);
    this.outdated = database.prepare(`SELECT seq, decided_at FROM confirmation INDEXED BY confirmation_decided
      WHERE decision_seq IS NOT NULL ORDER BY decision_seq LIMIT ${STEP_ROWS}`);
    this.remove = database.prepare('DELETE FROM confirmation WHERE seq = ?');
    this.removePrompt = database.prepare('DELETE FROM confirmation_prompt WHERE seq = ?');
  }

  /** @returns the number of the new row; `undefined` if its id or key exists */
  insert(request: OpenRow, createdAt: number, expiresAt: number | null, expiringAt: number | null): number | undefined {
    const { callbackId, userId, taskId, step, prompt, onTimeout, onTimeoutBy, key = null, fingerprint = null } = request;
    const seq = this.newestSeq + 1;
    const times = [createdAt, expiresAt, expiringAt];
    if (!this.insertRow.run(seq, callbackId, userId, taskId, step, ...times, onTimeout, onTimeoutBy, key, fingerprint))
      return undefined;
    this.newestSeq = seq;
    this.insertPrompt.run(seq, prompt);
    return seq;
  }

  /** @returns `false` for a row that is not pending, which stays as it is */
  decide(seq: number, decision: DecisionRow): boolean {
    const { state, decision_seq, decided_at, proceed, feedback, choice, form_values, answered_by, reason, via, edited } =
      decision;
    const answer = [proceed, feedback, choice, form_values, answered_by, reason, via, edited];
    return this.update.run(state, decision_seq, decided_at, ...answer, seq) === 1;
  }

  /**
   * Pending rows that were created after a moment. Rows are created in the order of `seq`, so a binary search finds the first
   * of them: a million older ones cost nothing.
   */
  countSince(moment: number): number {
    let low = 0;
    let high = (this.newestPending.get()?.seq ?? 0) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.nextPending.get(middle);
      if (!row || row.created_at > moment) high = middle;
      else low = row.seq + 1;
    }
    return this.pendingFrom.get(low)?.pending ?? 0;
  }

  /** @param readUntil a pending row whose deadline is not later is not listed any more */
  page(
    { scope, taskId, state, openedBefore, newestFirst = false, limit, cursor }: ConfirmationQuery,
    readUntil: number,
  ): { rows: ConfirmationRow[]; cursor?: string } {
    if (scope !== 'all' && scope.length === 0) return { rows: [] };
    const where = [newestFirst ? 'seq < ?' : 'seq > ?'];
    const params: SqlValue[] = [];
    const and = (condition: string, ...values: SqlValue[]): void => {
      where.push(condition);
      params.push(...values);
    };
    if (scope !== 'all') and(`user_id IN (${scope.map(() => '?').join()})`, ...scope);
    if (taskId !== undefined) and('task_id = ?', taskId);
    if (openedBefore !== undefined) and('created_at < ?', openedBefore);
    if (state === 'pending') and(`state = 'pending' AND (expires_at IS NULL OR expires_at > ?)`, readUntil);
    else if (state !== undefined) and('state = ?', state);
    const subject = taskId !== undefined ? '_task' : scope !== 'all' ? '_user' : '';
    const index =
      state === 'pending'
        ? `INDEXED BY confirmation${subject}_pending`
        : subject
          ? `INDEXED BY confirmation${subject}`
          : 'NOT INDEXED';
    const statement = this.list(index, where, newestFirst);
    return readPage(
      limit,
      Number(cursor ?? (newestFirst ? Number.MAX_SAFE_INTEGER : 0)),
      (after, rows) => statement.all(after, ...params, rows),
      ({ prompt }) => prompt.length,
    );
  }

  /** Removes decisions made before `cutoff`, at most a step's worth. @returns whether there may be more */
  removeDecided(cutoff: number): boolean {
    const outdated = this.outdated.all().filter(({ decided_at }) => decided_at <= cutoff);
    for (const { seq } of outdated) {
      this.remove.run(seq);
      this.removePrompt.run(seq);
    }
    return outdated.length === STEP_ROWS;
  }

  /** Rows in order, behind the `seq` of the first parameter, as many as the last one. */
  private list(index: string, where: readonly string[], newestFirst: boolean): Statement<ConfirmationRow> {
    const sql = `${select(index)} WHERE ${where.join(' AND ')} ORDER BY seq ${newestFirst ? 'DESC' : 'ASC'} LIMIT ?`;
    const statement = this.lists.get(sql) ?? this.database.prepare<ConfirmationRow>(sql);
    if (this.lists.size < MAX_LISTS) this.lists.set(sql, statement);
    return statement;
  }
}
