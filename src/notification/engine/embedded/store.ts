/**
 * The store, in the worker: many calls in one transaction, so that one sync to the disk pays for all of them.
 *
 *  1. Outcomes leave only after the commit (E1).
 *  2. A call that throws a domain error has written nothing; the others of its batch go on.
 *  3. When SQLite fails, the batch is rolled back and its calls run again, each in a transaction of its own: one bad
 *     call fails alone. Nothing of the rolled-back attempt is emitted.
 *  4. On a full disk new things are refused; what decides or ends something uses the reserve.
 */
import { ConfirmationConflictError } from '../../notification.errors.js';
import { ConfirmationStore, CrowdedError } from './confirmation-store.js';
import { ConfirmationTable } from './confirmation-table.js';
import { DiskReserve } from './disk-reserve.js';
import { RevocationStore } from './revocation-store.js';
import { endJournal, recoverFolder } from './folder-recovery.js';
import { readCounters } from './read-counters.js';
import { UnitOfWork } from './unit-of-work.js';
import { MessageStore } from './message-store.js';
import { EventStore } from './event-store.js';
import { openStore, wideModes } from './schema.js';
import { RESULT, SqliteError, type Sqlite, type Statement } from './sqlite.js';
import type { Call, CallOutcome, Failure, Opened, Operations, OperationName, StoreOptions } from './store-protocol.js';
import { TaskStore } from './task-store.js';
import { WaitingStore } from './waiting-store.js';
import type { Clock } from '../../pacing/clock.js';
import { monotonicMs } from '../../pacing/time-source.js';

/** What stores something new, and is refused while there is no room. */
const NEW: ReadonlySet<OperationName> = new Set(['open', 'publish', 'keep', 'claimTask']);

/** What reads or moves a channel's head: refused while publications that were delivered cannot be stored. */
const CHANNELS: ReadonlySet<OperationName> = new Set(['publish', 'position', 'history', 'waiting', 'purge']);

/** How long the start may spend on deadlines that passed while nothing ran. */
const START_BUDGET_MS = 1000;

/** Ends the worker. */
class RollbackError extends Error {
  constructor(cause: unknown) {
    super(`a failed transaction could not be rolled back: ${(cause as Error).message}`, { cause });
  }
}

export class Store {
  private readonly unit: UnitOfWork;
  private readonly operations: Operations;
  private readonly reserve: DiskReserve;
  private readonly warnings: string[] = [];
  private readonly moves: Statement<never>[];
  private readonly keepUntil: Statement<never>;
  private readonly retentionMs: number;
  private readonly dataDir: string;

  static async open(options: StoreOptions, openDatabase: (path: string) => Promise<Sqlite>, clock?: Clock): Promise<Store> {
    const database = await openStore(options.dataDir, openDatabase);
    const folder = options.dataDir === ':memory:' ? { warnings: [] } : recoverFolder(database, options.dataDir);
    const store = new Store(database, options, clock, folder.journaled);
    store.warnings.push(...folder.warnings);
    return store;
  }

  private constructor(
    private readonly database: Sqlite,
    { dataDir, settings, reserveBytes }: StoreOptions,
    clock: Clock | undefined,
    private readonly journaled: string | undefined,
  ) {
    this.dataDir = dataDir;
    this.unit = new UnitOfWork(readCounters(database), clock);
    this.reserve = new DiskReserve(dataDir, dataDir === ':memory:' ? 0 : reserveBytes);
    this.retentionMs = settings.retentionMs;
    this.warnings.push(...wideModes(dataDir));
    this.keepUntil = database.prepare(`INSERT OR REPLACE INTO meta VALUES ('keep_until', ?)`);
    this.moves = [
      `UPDATE confirmation SET expires_at = expires_at + ?1, expiring_at = expiring_at + ?1
        WHERE state = 'pending' AND expires_at IS NOT NULL`,
      'UPDATE acknowledged_message SET expires_at = expires_at + ?1',
      'UPDATE notice SET visible_at = visible_at + ?1',
    ].map((sql) => database.prepare(sql));
    this.operations = operationsOf(database, this.unit, settings, this.reserve);
  }

  /** Applies deadlines that passed while nothing ran, and reports the state. The replay emits their events. */
  begin(): Opened {
    const emitted = this.database.prepare<{ value: number }>(`SELECT value FROM meta WHERE name = 'told'`).get()?.value ?? 0;
    const startedAt = this.unit.now();
    const isOverdue = (): boolean => (this.unit.counters.nextDue ?? Infinity) <= startedAt;
    const giveUpAt = monotonicMs() + START_BUDGET_MS;
    while (isOverdue() && monotonicMs() < giveUpAt) {
      const [outcome] = this.run([{ name: 'due', args: [], read: { until: Infinity, servingSince: Infinity } }]);
      if (outcome && 'failure' in outcome) break;
    }
    return {
      type: 'opened',
      emitted,
      decisions: this.unit.counters.decisions,
      nextDue: this.nextDue,
      overdue: isOverdue(),
      warnings: this.takeWarnings(),
      ...(this.journaled !== undefined && { journaled: this.journaled }),
    };
  }

  /** A monotonic moment. */
  get nextDue(): number | null {
    const { clock, counters } = this.unit;
    return counters.nextDue === null ? null : clock.momentOf(counters.nextDue);
  }

  takeWarnings(): string[] {
    return [...this.warnings.splice(0), ...this.reserve.takeWarnings()];
  }

  run(calls: Call[]): CallOutcome[] {
    this.followClock();
    const takesNew = this.reserve.takesNew();
    try {
      return this.transaction(() => calls.map((call) => this.perform(call, takesNew)));
    } catch (error) {
      if (!this.makeRoomAfter(error)) {
        this.warnings.push(`a transaction failed; its ${calls.length} steps are taken one by one: ${(error as Error).message}`);
      }
      return this.runOneByOne(calls);
    }
  }

  /** @param isStored every journaled publication has been committed */
  close(isStored: boolean): void {
    try {
      if (isStored && this.journaled !== undefined) endJournal(this.database, this.dataDir);
    } finally {
      this.database.close();
    }
  }

  private runOneByOne(calls: Call[]): CallOutcome[] {
    let lacksPublications = false;
    return calls.map((call) => {
      if (lacksPublications && CHANNELS.has(call.name)) {
        const message = 'publications that were delivered cannot be stored';
        return { failure: { kind: NEW.has(call.name) && !this.reserve.takesNew() ? 'full' : 'unavailable', message } };
      }
      const outcome = this.runAlone(call);
      if (call.name === 'append' && 'failure' in outcome) lacksPublications = true;
      return outcome;
    });
  }

  /** Invariants 3 and 4. */
  private runAlone(call: Call): CallOutcome {
    for (;;) {
      try {
        return this.transaction(() => this.perform(call, this.reserve.takesNew()));
      } catch (error) {
        if (!this.makeRoomAfter(error)) return { failure: failureOf(error, call.name) };
      }
    }
  }

  /** The wall clock has jumped: what is to happen after some time still happens after that time. */
  private followClock(): void {
    const { jump } = this.unit.clock;
    if (jump === 0) return;
    try {
      this.transaction(() => {
        for (const move of this.moves) move.run(jump);
        // What is kept for a time, by its age, must not be older all at once.
        if (jump > 0) this.keepUntil.run(this.unit.clock.now() + jump + this.retentionMs);
      });
      this.unit.jump(jump);
      this.warnings.push(`the wall clock jumped by ${jump} ms; pending deadlines moved with it`);
    } catch (error) {
      if (!this.makeRoomAfter(error)) this.warnings.push(`a jump of the wall clock is not followed yet: ${String(error)}`);
    }
  }

  private perform({ name, args, read }: Call, takesNew: boolean): CallOutcome {
    if (!takesNew && NEW.has(name)) return { failure: { kind: 'full', message: 'no room is left on the disk' } };
    this.unit.tick(read);
    try {
      const value = (this.operations[name] as (...args: unknown[]) => unknown)(...args);
      return { value, events: this.unit.takeEvents() };
    } catch (error) {
      if (error instanceof CrowdedError) return { failure: { kind: 'crowded', limit: error.limit } };
      if (error instanceof ConfirmationConflictError)
        return { failure: { kind: 'conflict', key: (args as Parameters<Operations['open']>)[0].key ?? '' } };
      throw error;
    }
  }

  /** Deferred: a transaction that only reads costs no sync. No other process can hold the lock, so a later write never waits. */
  private transaction<T>(steps: () => T): T {
    this.unit.mark();
    this.database.exec('BEGIN');
    try {
      const result = steps();
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      this.unit.restore();
      this.rollBack();
      throw error;
    }
  }

  /** SQLite may have rolled back by itself. If it cannot, the worker ends with the error, and the file is opened again. */
  private rollBack(): void {
    try {
      this.database.exec('ROLLBACK');
    } catch (error) {
      if (!(error instanceof SqliteError && error.message.includes('no transaction is active'))) throw new RollbackError(error);
    }
  }

  /** A disk that fills up while SQLite syncs shows as a failed write. @returns whether it is worth trying again */
  private makeRoomAfter(error: unknown): boolean {
    if (error instanceof RollbackError) throw error;
    if (!(error instanceof SqliteError)) return false;
    const full = error.resultCode === RESULT.FULL || (error.resultCode === RESULT.IOERR && this.reserve.isTight);
    return full && this.reserve.release();
  }
}

function operationsOf(database: Sqlite, unit: UnitOfWork, settings: StoreOptions['settings'], reserve: DiskReserve): Operations {
  const events = new EventStore(database, unit, new Set(settings.webhookEvents));
  const messages = new MessageStore(database, unit, settings);
  const tasks = new TaskStore(database, unit, settings.retentionMs, events, messages);
  const table = new ConfirmationTable(database);
  const confirmations = new ConfirmationStore(table, unit, tasks, events, settings.maxPendingPerUser);
  const waiting = new WaitingStore(table, messages, unit);
  const revocations = new RevocationStore(database, unit);
  const emitted = database.prepare(`UPDATE meta SET value = ? WHERE name = 'told'`);
  const keptUntil = database.prepare<{ value: number }>(`SELECT value FROM meta WHERE name = 'keep_until'`);
  return {
    ping: () => undefined,
    open: (request) => confirmations.open(request),
    decide: (...args) => confirmations.decide(...args),
    withdraw: (...args) => confirmations.withdraw(...args),
    markSeen: (...args) => confirmations.markSeen(...args),
    dismiss: (...args) => confirmations.dismiss(...args),
    get: (callbackId) => confirmations.get(callbackId),
    list: (query) => confirmations.list(query),
    claimTask: (taskId, userId) => tasks.use(taskId, userId),
    cancelTask: (request, arrivedAt) => {
      const result = tasks.cancel(request);
      if (result && !result.before) confirmations.cancelPendingOf(result.task, arrivedAt);
      return result;
    },
    resumeTask: (taskId) => tasks.resume(taskId),
    getTask: (taskId) => tasks.get(taskId),
    reachTask: (taskId) => tasks.reach(taskId),
    publish: (channel, message) => messages.publish(channel, message),
    append: (lines) => {
      messages.append(lines);
      return reserve.takesNew();
    },
    position: (channel) => messages.position(channel),
    history: (request) => messages.history(request),
    keep: (...args) => messages.keep(...args),
    ack: (...args) => messages.ack(...args),
    isAcknowledged: (messageId) => messages.isAcknowledged(messageId),
    unacknowledged: (...args) => messages.unacknowledged(...args),
    waiting: (userIds) => waiting.of(userIds),
    revokeUser: (userId) => revocations.revoke(userId),
    revokedAt: (userId) => revocations.revokedAt(userId),
    allRevocations: (most) => revocations.all(most),
    counts: (agesMs) => ({
      pendingConfirmations: unit.counters.pending,
      unacknowledgedMessages: unit.counters.unacknowledged,
      ...(agesMs && { younger: agesMs.map((ageMs) => confirmations.countYounger(ageMs)) }),
    }),
    claimEvents: (limit, leaseMs) => events.claim(limit, leaseMs, (callbackId) => confirmations.get(callbackId)),
    completeEvent: (id) => events.complete(id),
    postponeEvent: (...args) => events.postpone(...args),
    eventCounts: () => events.counts(),
    hasDueEvents: () => events.isDue(),
    due: () => confirmations.due(),
    purge: () => {
      const cutoff = unit.now() - settings.retentionMs;
      const keepsAll = unit.now() < (keptUntil.get()?.value ?? 0);
      return [
        !keepsAll && events.purge(cutoff),
        !keepsAll && confirmations.purge(cutoff),
        !keepsAll && tasks.purge(cutoff),
        messages.purge(),
      ].includes(true);
    },
    decisions: (...args) => confirmations.decisions(...args),
    emitted: (decision) => void emitted.run(decision),
  };
}

function failureOf(error: unknown, name: OperationName): Failure {
  const full = error instanceof SqliteError && error.resultCode === RESULT.FULL;
  return { kind: full && NEW.has(name) ? 'full' : 'unavailable', message: `${name}: ${(error as Error).message}` };
}
