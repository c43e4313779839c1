/**
 * Confirmations and decisions, in the worker. Every method is one step of a transaction that the store opened around it.
 *
 *  1. Every method that touches a pending confirmation asks the rule first: a deadline that may be applied is applied (E2).
 *  2. `decideRow` is the only way out of `pending`. A method that throws a domain error has written nothing.
 */
import { ConfirmationConflictError } from '../../notification.errors.js';
import type { ConfirmationQuery, Scope } from '../engine.js';
import { endOfDismissal, warningAfter } from '../deadlines.js';
import { CLOCK_VIA } from '../via.js';
import type { Outcome } from '../../../protocol/confirmation.js';
import { DeadlineRule } from './deadline-rule.js';
import type { EventStore } from './event-store.js';
import type { UnitOfWork } from './unit-of-work.js';
import {
  pendingRow,
  type AnswerRow,
  type ConfirmationRow,
  type DecideRow,
  type DismissRow,
  type OpenRow,
  type TaskRow,
} from './rows.js';
import { ConfirmationTable } from './confirmation-table.js';
import type { Sqlite } from './sqlite.js';
import type { TaskStore } from './task-store.js';

interface DecisionValues extends Partial<AnswerRow> {
  outcome: Outcome;
  proceed: boolean;
  answeredBy?: string | null;
  reason?: string | null;
  via: string | null;
  /** When the outcome was fixed, where that is not now. */
  decidedAt?: number;
}

/** The user has reached the limit of pending confirmations. */
export class CrowdedError extends Error {
  constructor(readonly limit: number) {
    super(`at most ${limit} pending`);
  }
}

export class ConfirmationStore {
  private readonly table: ConfirmationTable;
  private readonly rule: DeadlineRule;

  constructor(
    database: Sqlite,
    private readonly unit: UnitOfWork,
    private readonly tasks: TaskStore,
    private readonly events: EventStore,
    private readonly maxPendingPerUser = Infinity,
  ) {
    this.rule = new DeadlineRule(unit);
    this.table = new ConfirmationTable(database);
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
    const now = this.unit.now();
    const expires = timeoutMs === null ? null : now + timeoutMs;
    const expiring = timeoutMs === null ? null : now + warningAfter(timeoutMs);
    this.mustHaveRoom(request);
    const inserted = this.table.insert.get(
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
    this.table.insertPrompt.run(inserted.seq, prompt);
    this.unit.counters.pending += 1;
    const row = pendingRow(request, inserted.seq, now, expires);
    const task = this.tasks.use(taskId, userId);
    if (task.cancelled_at !== null) return { created: true, row: this.cancel(row, task) };
    this.events.storeOpening(row);
    this.unit.expect(expiring);
    this.unit.emit({ kind: 'opened', row });
    return { created: true, row };
  }

  /** Checks the limit for a confirmation that does not exist yet. @throws CrowdedError */
  private mustHaveRoom({ callbackId, userId, key }: OpenRow): void {
    const limit = this.maxPendingPerUser;
    // No user has more than there are in all.
    if (this.unit.counters.pending < limit) return;
    if ((this.table.pendingCount.get(userId, limit)?.pending ?? 0) < limit) return;
    if (this.table.byId.get(callbackId) || this.table.byKey.get(userId, key ?? null)) return;
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
      return { status: 'accepted', row: this.decideTimely(row, { outcome: 'answered', answeredBy, via, ...answer }) };
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
      return { status: 'accepted', row: this.decideTimely(row, { outcome: 'withdrawn', proceed: false, reason, via }) };
    return { status: row.state === 'withdrawn' ? 'repeated' : 'already_resolved', row };
  }

  /** Records the first time that a device shows a pending confirmation. */
  markSeen(callbackId: string, scope: Scope): ConfirmationRow | undefined {
    const found = this.inScope(callbackId, scope);
    const row = found && this.current(found);
    if (!row || row.state !== 'pending' || row.seen_at !== null) return row;
    const seenAt = this.unit.now();
    this.table.updateSeen.run(seenAt, row.seq);
    return { ...row, seen_at: seenAt };
  }

  /** Hides a pending confirmation for a while. It decides nothing. */
  dismiss(callbackId: string, scope: Scope, until: number | undefined): DismissRow {
    const found = this.inScope(callbackId, scope);
    if (!found) return { status: 'not_found' };
    const row = this.current(found);
    if (row.state !== 'pending') return { status: 'already_resolved', row };
    const end = endOfDismissal(row.created_at, row.expires_at, until, this.unit.now());
    if (typeof end === 'string') return { status: end };
    this.table.updateDismissed.run(end, row.seq);
    const dismissed = { ...row, dismissed_until: end };
    this.unit.emit({ kind: 'dismissed', row: dismissed });
    return { status: 'dismissed', row: dismissed };
  }

  cancelPendingOf(task: TaskRow, arrivedAt: number): void {
    for (const found of this.table.ofTask.all(task.task_id)) {
      // A late cancellation of a prompt whose deadline cannot be applied yet still counts: it is no *proceed*.
      const row = this.asOf(found, arrivedAt) ?? found;
      if (row.state === 'pending') this.cancel(row, task);
    }
  }

  get(callbackId: string): ConfirmationRow | undefined {
    const row = this.table.byId.get(callbackId);
    return row && this.current(row);
  }

  countYounger(ageMs: number): number {
    return this.table.countSince(this.unit.now() - ageMs);
  }

  list(query: ConfirmationQuery): { rows: ConfirmationRow[]; cursor?: string } {
    const page = this.table.page(query, this.unit.readUntil());
    return { ...page, rows: page.rows.map((row) => this.current(row)) };
  }

  pendingIds(userId: string): string[] {
    return this.table.pendingOfUser.all(userId, this.unit.readUntil()).map(({ callback_id }) => callback_id);
  }

  /** Applies what is due, at most a step's worth; what is left shows in the unit's `nextDue`. */
  due(): void {
    for (const row of this.table.expired.all(this.unit.readUntil())) this.current(row);
    for (const found of this.table.expiring.all(this.unit.now())) {
      const row = { ...found, dismissed_until: null };
      this.table.clearExpiring.run(row.seq);
      this.events.storeWarning(row);
      this.unit.emit({ kind: 'expiring', row });
    }
    this.unit.counters.nextDue = this.table.nextDue.get()?.moment ?? null;
  }

  /** Decisions numbered above `from`, up to `to`, in order, a page of them. */
  decisions(from: number, to: number): ConfirmationRow[] {
    return this.table.decided.all(from, to);
  }

  /** Forgets decisions made before `cutoff`. @returns whether there may be more */
  purge(cutoff: number): boolean {
    return this.table.removeDecided(cutoff);
  }

  /** The confirmation whose id or key the request repeats. */
  private existing(request: OpenRow): ConfirmationRow {
    const row = this.table.byId.get(request.callbackId) ?? this.table.byKey.get(request.userId, request.key ?? null);
    if (!row) throw new Error(`prompt ${request.callbackId} is neither new nor there`);
    const isSame = row.callback_id === request.callbackId || row.fingerprint === (request.fingerprint ?? null);
    if (!isSame) throw new ConfirmationConflictError(request.key ?? '');
    return row;
  }

  private inScope(callbackId: string, scope: Scope): ConfirmationRow | undefined {
    const row = this.table.byId.get(callbackId);
    return row && (scope === 'all' || scope.includes(row.user_id)) ? row : undefined;
  }

  /** The row, after its deadline where that may be applied. */
  private current(row: ConfirmationRow): ConfirmationRow {
    if (!this.rule.mayBeApplied(row)) return row;
    return this.decideRow(row, { outcome: 'timed_out', proceed: this.rule.proceeds(row), via: CLOCK_VIA });
  }

  /** The row as it was for something that arrived at a moment; `undefined` if that has to wait for the deadline. */
  private asOf(row: ConfirmationRow, arrivedAt: number): ConfirmationRow | undefined {
    if (row.state !== 'pending' || this.rule.isTimely(row, arrivedAt)) return row;
    const current = this.current(row);
    return current.state === 'pending' ? undefined : current;
  }

  private waitsFor({ expires_at }: ConfirmationRow): DecideRow {
    return { status: 'waits', until: this.unit.clock.momentOf(expires_at ?? 0) };
  }

  private cancel(row: ConfirmationRow, task: TaskRow): ConfirmationRow {
    const { cancelled_by: answeredBy, reason, cancelled_via: via } = task;
    return this.decideRow(row, { outcome: 'cancelled', proceed: false, answeredBy, reason, via });
  }

  /** Decides at a moment before the deadline, for an answer that arrived before it. */
  private decideTimely(row: ConfirmationRow, decision: DecisionValues): ConfirmationRow {
    return this.decideRow(row, { ...decision, decidedAt: Math.min(this.unit.now(), (row.expires_at ?? Infinity) - 1) });
  }

  private decideRow(row: ConfirmationRow, decision: DecisionValues): ConfirmationRow {
    const { outcome, proceed, feedback = null, choice = null, values: formValues = null, edited = null } = decision;
    const { answeredBy = null, reason = null, via } = decision;
    const sequence = (this.unit.counters.decisions += 1);
    const now = decision.decidedAt ?? this.unit.now();
    const values = [outcome, sequence, now, Number(proceed), feedback, choice, formValues, answeredBy, reason, via, edited];
    const changes = this.table.update.run(...values, row.seq);
    if (changes !== 1) throw new Error(`prompt ${row.callback_id} was not pending`);
    this.unit.counters.pending -= 1;
    const decided: ConfirmationRow = {
      ...row,
      state: outcome,
      decision_seq: sequence,
      decided_at: now,
      proceed: Number(proceed),
      feedback,
      choice,
      form_values: formValues,
      answered_by: answeredBy,
      reason,
      via,
      edited,
    };
    this.events.storeDecision(decided, outcome);
    this.unit.emit({ kind: 'decided', row: decided });
    return decided;
  }
}
