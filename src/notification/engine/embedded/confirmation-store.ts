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
import type {
  AnswerRow,
  AskedRow,
  ConfirmationRow,
  DecidedRow,
  DecideRow,
  DecisionRow,
  DismissRow,
  OpenedRow,
  OpenRow,
  PendingRow,
  TaskRow,
} from './rows.js';
import type { ConfirmationTable } from './confirmation-table.js';
import type { TaskStore } from './task-store.js';

interface DecisionValues extends Partial<AnswerRow> {
  outcome: Outcome;
  proceed: boolean;
  answeredBy?: string | null;
  reason?: string | null;
  via: string | null;
}

/** The user has reached the limit of pending confirmations. */
export class CrowdedError extends Error {
  constructor(readonly limit: number) {
    super(`at most ${limit} pending`);
  }
}

export class ConfirmationStore {
  private readonly rule: DeadlineRule;

  constructor(
    private readonly table: ConfirmationTable,
    private readonly unit: UnitOfWork,
    private readonly tasks: TaskStore,
    private readonly events: EventStore,
    private readonly maxPendingPerUser = Infinity,
  ) {
    this.rule = new DeadlineRule(unit);
  }

  open(request: OpenRow): OpenedRow {
    const { userId, taskId, timeoutMs } = request;
    const createdAt = this.unit.now();
    const expiresAt = timeoutMs === null ? null : createdAt + timeoutMs;
    const expiringAt = timeoutMs === null ? null : createdAt + warningAfter(timeoutMs);
    this.mustHaveRoom(request);
    const seq = this.table.insert(request, createdAt, expiresAt, expiringAt);
    if (seq === undefined) return { status: 'found', row: this.current(this.existing(request)) };
    this.unit.counters.pending += 1;
    const task = this.tasks.use(taskId, userId);
    if (task.cancelled_at !== null) {
      const row = pendingRow(request, seq, createdAt, expiresAt);
      return { status: 'cancelled', row: { ...row, ...this.cancel(row, task) } };
    }
    this.events.storeOpening(request.callbackId);
    this.unit.expect(expiringAt);
    return { status: 'opened', createdAt, expiresAt };
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
    if (row.state === 'pending') return this.decideTimely(row, { outcome: 'answered', answeredBy, via, ...answer });
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
    if (row.state === 'pending') return this.decideTimely(row, { outcome: 'withdrawn', proceed: false, reason, via });
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

  /** Applies what is due, at most a step's worth; what is left shows in the unit's `nextDue`. */
  due(): void {
    for (const row of this.table.expired.all(this.unit.readUntil())) this.current(row);
    for (const found of this.table.expiring.all(this.unit.now())) {
      const row = { ...found, dismissed_until: null };
      this.table.clearExpiring.run(row.seq);
      this.events.storeWarning(row.callback_id);
      this.unit.emit({ kind: 'expiring', row });
    }
    this.unit.counters.nextDue = this.table.nextDue.get()?.moment ?? null;
  }

  /** Decisions numbered above `from`, up to `to`, in order, a page of them. */
  decisions(from: number, to: number): DecidedRow[] {
    return this.table.decided.all(from, to);
  }

  /** Forgets decisions made before `cutoff`. @returns whether there may be more */
  purge(cutoff: number): boolean {
    return this.table.removeDecided(cutoff);
  }

  /** The confirmation whose id or key the request repeats. */
  private existing(request: OpenRow): ConfirmationRow {
    const { callbackId, userId, key = null, fingerprint = null } = request;
    const row = this.table.byId.get(callbackId);
    if (row) return row;
    const ofKey = this.table.byKey.get(userId, key);
    if (!ofKey) throw new Error(`prompt ${callbackId} is neither new nor there`);
    if (ofKey.fingerprint !== fingerprint) throw new ConfirmationConflictError(key ?? '');
    return ofKey;
  }

  private inScope(callbackId: string, scope: Scope): ConfirmationRow | undefined {
    const row = this.table.pendingById.get(callbackId) ?? this.table.byId.get(callbackId);
    return row && (scope === 'all' || scope.includes(row.user_id)) ? row : undefined;
  }

  /** The row, after its deadline where that may be applied. */
  private current(row: ConfirmationRow): ConfirmationRow {
    if (!this.rule.mayBeApplied(row)) return row;
    const decision = this.decideRow(row, { outcome: 'timed_out', proceed: this.rule.proceeds(row), via: CLOCK_VIA });
    this.unit.emit({ kind: 'decided', row, decision });
    return { ...row, ...decision };
  }

  /** The row as it was for something that arrived at a moment; `undefined` if that has to wait for the deadline. */
  private asOf(row: ConfirmationRow, arrivedAt: number): ConfirmationRow | undefined {
    if (row.state !== 'pending' || this.rule.isTimely(row, arrivedAt)) return row;
    const current = this.current(row);
    return current.state === 'pending' ? undefined : current;
  }

  private waitsFor({ expires_at }: AskedRow): DecideRow {
    return { status: 'waits', until: this.unit.clock.momentOf(expires_at ?? 0) };
  }

  private cancel(row: PendingRow, task: TaskRow): DecisionRow {
    const { cancelled_by: answeredBy, reason, cancelled_via: via } = task;
    const decision = this.decideRow(row, { outcome: 'cancelled', proceed: false, answeredBy, reason, via });
    this.unit.emit({ kind: 'decided', row, decision });
    return decision;
  }

  /** Decides at a moment before the deadline, for an answer that arrived before it. The reply stands for the event. */
  private decideTimely(row: PendingRow, values: DecisionValues): DecideRow {
    const decision = this.decideRow(row, values, Math.min(this.unit.now(), (row.expires_at ?? Infinity) - 1));
    return { status: 'accepted', row, decision };
  }

  /** @param decidedAt when the outcome was fixed */
  private decideRow(row: PendingRow, values: DecisionValues, decidedAt = this.unit.now()): DecisionRow {
    const { outcome, proceed, feedback = null, choice = null, values: formValues = null, edited = null } = values;
    const { answeredBy = null, reason = null, via } = values;
    const decision: DecisionRow = {
      state: outcome,
      decision_seq: (this.unit.counters.decisions += 1),
      decided_at: decidedAt,
      proceed: Number(proceed),
      feedback,
      choice,
      form_values: formValues,
      answered_by: answeredBy,
      reason,
      via,
      edited,
    };
    if (!this.table.decide(row.seq, decision)) throw new Error(`prompt ${row.callback_id} was not pending`);
    this.unit.counters.pending -= 1;
    this.events.storeDecision(row.callback_id, outcome);
    return decision;
  }
}

function pendingRow(request: OpenRow, seq: number, createdAt: number, expiresAt: number | null): PendingRow {
  return {
    seq,
    callback_id: request.callbackId,
    user_id: request.userId,
    task_id: request.taskId,
    step: request.step,
    prompt: request.prompt,
    created_at: createdAt,
    expires_at: expiresAt,
    on_timeout: request.onTimeout,
    on_timeout_by: request.onTimeoutBy,
    seen_at: null,
    dismissed_until: null,
    state: 'pending',
  };
}
