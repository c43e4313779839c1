/**
 * Prompts and decisions, in the worker. Every method is one step of a transaction that the store opened around it.
 *
 *  1. Whatever touches a pending prompt asks the rule first: a deadline that may be applied is applied (E2).
 *  2. `settle` is the only way out of `pending`.
 *  3. A method that throws a domain error has written nothing.
 */
import { ConfirmationConflictError } from '../../notification.errors.js';
import type { ConfirmationQuery, Scope } from '../engine.js';
import { warningAfter } from '../deadlines.js';
import { CLOCK_VIA } from '../via.js';
import type { Outcome } from '../../../protocol/confirmation.js';
import { DeadlineRule } from './deadline-rule.js';
import type { Ledger } from './unit-of-work.js';
import type { EventStore } from './event-store.js';
import { readPage } from './read-page.js';
import { UNDECIDED, type AnswerRow, type ConfirmationRow, type DecideRow, type OpenRow, type TaskRow } from './rows.js';
import type { Sqlite, SqlValue, Statement } from './sqlite.js';
import type { TaskStore } from './task-store.js';

const COLUMNS = `seq, callback_id, user_id, task_id, step, created_at, expires_at, on_timeout, on_timeout_by, fingerprint,
  state, decision_seq, decided_at, proceed, feedback, choice, form_values, answered_by, reason, via,
  edited, seen_at, dismissed_until`;

/** @param index which index to walk; the prompt is fetched for what that finds, never the other way round */
const select = (index: string): string =>
  `SELECT ${COLUMNS}, prompt FROM confirmation ${index} CROSS JOIN confirmation_prompt USING (seq)`;

const STEP_ROWS = 500;

interface Settlement extends Partial<AnswerRow> {
  outcome: Outcome;
  proceed: boolean;
  answeredBy?: string | null;
  reason?: string | null;
  via: string | null;
  /** When the outcome was fixed, where that is not now. */
  decidedAt?: number;
}

/** The user has as many pending prompts as one may have. */
export class CrowdedError extends Error {
  constructor(readonly limit: number) {
    super(`at most ${limit} pending`);
  }
}

export class ConfirmationStore {
  private readonly byId: Statement<ConfirmationRow>;
  private readonly byKey: Statement<ConfirmationRow>;
  private readonly insert: Statement<{ seq: number }>;
  private readonly insertPrompt: Statement<never>;
  private readonly update: Statement<never>;
  private readonly expired: Statement<ConfirmationRow>;
  private readonly expiring: Statement<ConfirmationRow>;
  private readonly clearExpiring: Statement<never>;
  private readonly updateSeen: Statement<never>;
  private readonly updateDismissed: Statement<never>;
  private readonly nextDue: Statement<{ moment: number | null }>;
  private readonly ofTask: Statement<ConfirmationRow>;
  private readonly pendingOfUser: Statement<{ callback_id: string }>;
  private readonly pendingCount: Statement<{ pending: number }>;
  private readonly decided: Statement<ConfirmationRow>;
  private readonly outdated: Statement<{ seq: number; decided_at: number }>;
  private readonly remove: Statement<never>;
  private readonly removePrompt: Statement<never>;
  private readonly queries = new Map<string, Statement<ConfirmationRow>>();
  private readonly rule: DeadlineRule;

  constructor(
    private readonly database: Sqlite,
    private readonly ledger: Ledger,
    private readonly tasks: TaskStore,
    private readonly events: EventStore,
    private readonly maxPendingPerUser = Infinity,
  ) {
    this.rule = new DeadlineRule(ledger);
    this.byId = database.prepare(`${select('INDEXED BY confirmation_id')} WHERE callback_id = ?`);
    this.byKey = database.prepare(`${select('INDEXED BY confirmation_key')} WHERE user_id = ? AND key = ?`);
    this.insert = database.prepare(`INSERT INTO confirmation
      (callback_id, user_id, task_id, step, created_at, expires_at, expiring_at, on_timeout, on_timeout_by, key, fingerprint, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING RETURNING seq`);
    this.pendingCount = database.prepare(
      "SELECT count(*) AS pending FROM (SELECT 1 FROM confirmation WHERE user_id = ? AND state = 'pending' LIMIT ?)",
    );
    this.insertPrompt = database.prepare('INSERT INTO confirmation_prompt VALUES (?, ?)');
    this.update =
      database.prepare(`UPDATE confirmation SET state = ?, decision_seq = ?, decided_at = ?, proceed = ?, feedback = ?, choice = ?,
      form_values = ?, answered_by = ?, reason = ?, via = ?, edited = ? WHERE seq = ? AND state = 'pending'`);
    this.expired = database.prepare(`${select('INDEXED BY confirmation_expires')}
      WHERE state = 'pending' AND expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ${STEP_ROWS}`);
    this.expiring = database.prepare(`${select('INDEXED BY confirmation_expiring')}
      WHERE state = 'pending' AND expiring_at IS NOT NULL AND expiring_at <= ? ORDER BY expiring_at LIMIT ${STEP_ROWS}`);
    this.clearExpiring = database.prepare(`UPDATE confirmation SET expiring_at = NULL, dismissed_until = NULL WHERE seq = ?`);
    this.updateSeen = database.prepare('UPDATE confirmation SET seen_at = ? WHERE seq = ?');
    this.updateDismissed = database.prepare('UPDATE confirmation SET dismissed_until = ? WHERE seq = ?');
    this.nextDue = database.prepare(`SELECT min(moment) AS moment FROM (
      SELECT min(expires_at) AS moment FROM confirmation INDEXED BY confirmation_expires WHERE state = 'pending' AND expires_at IS NOT NULL
      UNION ALL
      SELECT min(expiring_at) FROM confirmation INDEXED BY confirmation_expiring WHERE state = 'pending' AND expiring_at IS NOT NULL)`);
    this.ofTask = database.prepare(
      `${select('INDEXED BY confirmation_task_pending')} WHERE state = 'pending' AND task_id = ? ORDER BY seq`,
    );
    this.pendingOfUser = database.prepare(`SELECT callback_id FROM confirmation INDEXED BY confirmation_user_pending
      WHERE state = 'pending' AND user_id = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY seq`);
    this.decided = database.prepare(`${select('INDEXED BY confirmation_decided')}
      WHERE decision_seq IS NOT NULL AND decision_seq > ? AND decision_seq <= ? ORDER BY decision_seq LIMIT ${STEP_ROWS}`);
    this.outdated = database.prepare(`SELECT seq, decided_at FROM confirmation INDEXED BY confirmation_decided
      WHERE decision_seq IS NOT NULL ORDER BY decision_seq LIMIT ${STEP_ROWS}`);
    this.remove = database.prepare('DELETE FROM confirmation WHERE seq = ?');
    this.removePrompt = database.prepare('DELETE FROM confirmation_prompt WHERE seq = ?');
  }

  open(request: OpenRow): { created: boolean; row: ConfirmationRow } {
    const {
      callbackId,
      userId,
      taskId,
      step,
      prompt,
      timeoutMs,
      onTimeout,
      onTimeoutBy,
      key = null,
      fingerprint = null,
    } = request;
    const now = this.ledger.now();
    const expires = timeoutMs === null ? null : now + timeoutMs;
    const expiring = timeoutMs === null ? null : now + warningAfter(timeoutMs);
    this.mustHaveRoom(request);
    const inserted = this.insert.get(
      callbackId,
      userId,
      taskId,
      step,
      now,
      expires,
      expiring,
      onTimeout,
      onTimeoutBy,
      key,
      fingerprint,
    );
    if (!inserted) return { created: false, row: this.current(this.existing(request)) };
    this.insertPrompt.run(inserted.seq, prompt);
    this.ledger.counters.pending += 1;
    const row: ConfirmationRow = {
      ...UNDECIDED,
      seq: inserted.seq,
      callback_id: callbackId,
      user_id: userId,
      task_id: taskId,
      step,
      prompt,
      created_at: now,
      expires_at: expires,
      on_timeout: onTimeout,
      on_timeout_by: onTimeoutBy,
      fingerprint,
    };
    const task = this.tasks.use(taskId, userId);
    if (task.cancelled_at !== null) return { created: true, row: this.cancel(row, task) };
    this.events.noteOpening(row);
    this.ledger.expect(expiring);
    this.ledger.emit({ kind: 'opened', row });
    return { created: true, row };
  }

  /** One prompt more of the user's, unless it is there already. @throws CrowdedError */
  private mustHaveRoom({ callbackId, userId, key }: OpenRow): void {
    const limit = this.maxPendingPerUser;
    // Nobody has more than there are.
    if (this.ledger.counters.pending < limit) return;
    if ((this.pendingCount.get(userId, limit)?.pending ?? 0) < limit) return;
    if (this.byId.get(callbackId) || this.byKey.get(userId, key ?? null)) return;
    throw new CrowdedError(limit);
  }

  decide(
    callbackId: string,
    scope: Scope,
    answeredBy: string | null,
    via: string,
    answer: AnswerRow,
    arrivedAt: number,
  ): DecideRow {
    const found = this.inScope(callbackId, scope);
    if (!found) return { status: 'not_found' };
    const row = this.asOf(found, arrivedAt);
    if (!row) return this.waitsFor(found);
    if (row.state === 'pending')
      return { status: 'accepted', row: this.settleTimely(row, { outcome: 'answered', answeredBy, via, ...answer }) };
    const same =
      row.state === 'answered' &&
      row.answered_by === answeredBy &&
      (row.proceed === 1) === answer.proceed &&
      row.feedback === answer.feedback &&
      row.choice === answer.choice &&
      row.form_values === answer.values &&
      row.edited === answer.edited;
    return { status: same ? 'repeated' : 'already_resolved', row };
  }

  withdraw(callbackId: string, scope: Scope, reason: string | null, via: string, arrivedAt: number): DecideRow {
    const found = this.inScope(callbackId, scope);
    if (!found) return { status: 'not_found' };
    const row = this.asOf(found, arrivedAt);
    if (!row) return this.waitsFor(found);
    if (row.state === 'pending')
      return { status: 'accepted', row: this.settleTimely(row, { outcome: 'withdrawn', proceed: false, reason, via }) };
    return { status: row.state === 'withdrawn' ? 'repeated' : 'already_resolved', row };
  }

  /** Records the first time that a device shows a pending confirmation. */
  markSeen(callbackId: string, scope: Scope): ConfirmationRow | undefined {
    const found = this.inScope(callbackId, scope);
    const row = found && this.current(found);
    if (!row || row.state !== 'pending' || row.seen_at !== null) return row;
    const seenAt = this.ledger.now();
    this.updateSeen.run(seenAt, row.seq);
    return { ...row, seen_at: seenAt };
  }

  /** Hides a pending confirmation until a moment. It decides nothing. */
  dismiss(callbackId: string, scope: Scope, until: number): ConfirmationRow | undefined {
    const found = this.inScope(callbackId, scope);
    const row = found && this.current(found);
    if (!row || row.state !== 'pending') return row;
    this.updateDismissed.run(until, row.seq);
    const dismissed = { ...row, dismissed_until: until };
    this.ledger.emit({ kind: 'dismissed', row: dismissed });
    return dismissed;
  }

  cancelPendingOf(task: TaskRow, arrivedAt: number): void {
    for (const found of this.ofTask.all(task.task_id)) {
      // What is late, and meets a deadline that cannot be applied yet, is still no *proceed*.
      const row = this.asOf(found, arrivedAt) ?? found;
      if (row.state === 'pending') this.cancel(row, task);
    }
  }

  get(callbackId: string): ConfirmationRow | undefined {
    const row = this.byId.get(callbackId);
    return row && this.current(row);
  }

  list({ scope, taskId, state, limit, cursor }: ConfirmationQuery): { rows: ConfirmationRow[]; cursor?: string } {
    if (scope !== 'all' && scope.length === 0) return { rows: [] };
    const where = ['seq > ?'];
    const params: SqlValue[] = [];
    const and = (condition: string, ...values: SqlValue[]): void => {
      where.push(condition);
      params.push(...values);
    };
    if (scope !== 'all') and(`user_id IN (${scope.map(() => '?').join()})`, ...scope);
    if (taskId !== undefined) and('task_id = ?', taskId);
    if (state === 'pending') and(`state = 'pending' AND (expires_at IS NULL OR expires_at > ?)`, this.ledger.readUntil());
    else if (state !== undefined) and('state = ?', state);
    const subject = taskId !== undefined ? '_task' : scope !== 'all' ? '_user' : '';
    const index =
      state === 'pending'
        ? `INDEXED BY confirmation${subject}_pending`
        : subject
          ? `INDEXED BY confirmation${subject}`
          : 'NOT INDEXED';
    const sql = `${select(index)} WHERE ${where.join(' AND ')} ORDER BY seq LIMIT ?`;
    const statement = this.queries.get(sql) ?? this.database.prepare<ConfirmationRow>(sql);
    if (this.queries.size < 100) this.queries.set(sql, statement);
    const page = readPage(
      limit,
      cursor,
      (after, rows) => statement.all(after, ...params, rows),
      ({ prompt }) => prompt.length,
    );
    return { ...page, rows: page.rows.map((row) => this.current(row)) };
  }

  pendingIds(userId: string): string[] {
    return this.pendingOfUser.all(userId, this.ledger.readUntil()).map(({ callback_id }) => callback_id);
  }

  /** Applies what is due, at most a step's worth; what is left shows in the ledger's `nextDue`. */
  due(): void {
    for (const row of this.expired.all(this.ledger.readUntil())) this.current(row);
    for (const found of this.expiring.all(this.ledger.now())) {
      const row = { ...found, dismissed_until: null };
      this.clearExpiring.run(row.seq);
      this.events.noteWarning(row);
      this.ledger.emit({ kind: 'expiring', row });
    }
    this.ledger.counters.nextDue = this.nextDue.get()?.moment ?? null;
  }

  /** Decisions numbered above `from`, up to `to`, in order, a page of them. */
  decisions(from: number, to: number): ConfirmationRow[] {
    return this.decided.all(from, to);
  }

  /** Forgets decisions made before `cutoff`. @returns whether there may be more */
  purge(cutoff: number): boolean {
    const outdated = this.outdated.all().filter(({ decided_at }) => decided_at <= cutoff);
    for (const { seq } of outdated) {
      this.remove.run(seq);
      this.removePrompt.run(seq);
    }
    return outdated.length === STEP_ROWS;
  }

  /** The prompt whose id or key the request repeats. */
  private existing(request: OpenRow): ConfirmationRow {
    const row = this.byId.get(request.callbackId) ?? this.byKey.get(request.userId, request.key ?? null);
    if (!row) throw new Error(`prompt ${request.callbackId} is neither new nor there`);
    const sameContents = row.callback_id === request.callbackId || row.fingerprint === (request.fingerprint ?? null);
    if (!sameContents) throw new ConfirmationConflictError(request.key ?? '');
    return row;
  }

  private inScope(callbackId: string, scope: Scope): ConfirmationRow | undefined {
    const row = this.byId.get(callbackId);
    return row && (scope === 'all' || scope.includes(row.user_id)) ? row : undefined;
  }

  /** The row, after its deadline where that may be applied. */
  private current(row: ConfirmationRow): ConfirmationRow {
    if (!this.rule.mayBeApplied(row)) return row;
    return this.settle(row, { outcome: 'timed_out', proceed: this.rule.proceeds(row), via: CLOCK_VIA });
  }

  /** The row as what arrived then meets it; nothing where that has to wait for the deadline. */
  private asOf(row: ConfirmationRow, arrivedAt: number): ConfirmationRow | undefined {
    if (row.state !== 'pending' || this.rule.isTimely(row, arrivedAt)) return row;
    const current = this.current(row);
    return current.state === 'pending' ? undefined : current;
  }

  private waitsFor({ expires_at }: ConfirmationRow): DecideRow {
    return { status: 'waits', until: this.ledger.clock.momentOf(expires_at ?? 0) };
  }

  private cancel(row: ConfirmationRow, task: TaskRow): ConfirmationRow {
    const { cancelled_by: answeredBy, reason, cancelled_via: via } = task;
    return this.settle(row, { outcome: 'cancelled', proceed: false, answeredBy, reason, via });
  }

  /** What came before the deadline was decided before it, however late it is handled. */
  private settleTimely(row: ConfirmationRow, settlement: Settlement): ConfirmationRow {
    return this.settle(row, { ...settlement, decidedAt: Math.min(this.ledger.now(), (row.expires_at ?? Infinity) - 1) });
  }

  private settle(row: ConfirmationRow, settlement: Settlement): ConfirmationRow {
    const { outcome, proceed, feedback = null, choice = null, values = null, edited = null } = settlement;
    const { answeredBy = null, reason = null, via } = settlement;
    const sequence = (this.ledger.counters.decisions += 1);
    const now = settlement.decidedAt ?? this.ledger.now();
    const changes = this.update.run(
      outcome,
      sequence,
      now,
      Number(proceed),
      feedback,
      choice,
      values,
      answeredBy,
      reason,
      via,
      edited,
      row.seq,
    );
    if (changes !== 1) throw new Error(`prompt ${row.callback_id} was not pending`);
    this.ledger.counters.pending -= 1;
    const decided: ConfirmationRow = {
      ...row,
      state: outcome,
      decision_seq: sequence,
      decided_at: now,
      proceed: Number(proceed),
      feedback,
      choice,
      form_values: values,
      answered_by: answeredBy,
      reason,
      via,
      edited,
    };
    this.events.noteDecision(decided, outcome);
    this.ledger.emit({ kind: 'decided', row: decided });
    return decided;
  }
}
