/**
 * Webhook events (E7), in the worker. The transaction that makes a change stores its event with `store…`, or nothing when no
 * setting names that event.
 */
import { randomUUID } from 'node:crypto';
import type { Outcome } from '../../../protocol/confirmation.js';
import type { WebhookEventName } from '../../../protocol/webhook-events.js';
import type { QueueCounts, Task } from '../engine.js';
import { nameOfTaskEvent } from '../webhook-event.js';
import type { UnitOfWork } from './unit-of-work.js';
import type { ConfirmationRow, EventRow } from './rows.js';
import type { Sqlite, Statement } from './sqlite.js';

const STEP_ROWS = 500;

interface Row {
  seq: number;
  id: string;
  confirmation_id: string | null;
  task: string | null;
  event: WebhookEventName | null;
  created_at: number;
  attempts: number;
}

export class EventStore {
  private readonly insert: Statement<never>;
  private readonly visible: Statement<Row>;
  private readonly lease: Statement<never>;
  private readonly remove: Statement<never>;
  private readonly postponed: Statement<never>;
  private readonly oldest: Statement<{ id: string; created_at: number }>;
  private readonly counted: Statement<{ waiting: number }>;

  constructor(
    database: Sqlite,
    private readonly unit: UnitOfWork,
    private readonly asked: ReadonlySet<WebhookEventName>,
  ) {
    this.insert = database.prepare(
      'INSERT INTO notice (id, confirmation_id, task, event, created_at, visible_at) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.visible = database.prepare(`SELECT seq, id, confirmation_id, task, event, created_at, attempts
      FROM notice INDEXED BY notice_visible WHERE visible_at <= ? ORDER BY visible_at LIMIT ?`);
    this.lease = database.prepare('UPDATE notice SET visible_at = ?, attempts = attempts + 1 WHERE seq = ?');
    this.remove = database.prepare('DELETE FROM notice WHERE id = ?');
    this.postponed = database.prepare('UPDATE notice SET visible_at = ? WHERE id = ? AND attempts = ?');
    this.oldest = database.prepare('SELECT id, created_at FROM notice ORDER BY seq LIMIT ?');
    this.counted = database.prepare('SELECT count(*) AS waiting FROM notice');
  }

  storeOpening(callbackId: string): void {
    this.noteConfirmation('opened', 'confirmation.opened', callbackId);
  }

  storeWarning(callbackId: string): void {
    this.noteConfirmation('expiring', 'confirmation.expiring', callbackId);
  }

  storeDecision(callbackId: string, outcome: Outcome): void {
    this.noteConfirmation('decision', `confirmation.${outcome}`, callbackId);
  }

  noteTask(task: Task): void {
    const event = nameOfTaskEvent(task);
    if (this.asked.has(event)) this.note(`task-${randomUUID()}`, event, null, JSON.stringify(task));
  }

  /** @param find the prompt of a callback id */
  claim(limit: number, leaseMs: number, find: (callbackId: string) => ConfirmationRow | undefined): EventRow[] {
    const now = this.unit.now();
    return this.visible.all(now, limit).flatMap(({ seq, id, confirmation_id, task, event, created_at, attempts }) => {
      const confirmation = confirmation_id === null ? null : find(confirmation_id);
      if (confirmation === undefined) {
        this.drop([id]);
        return [];
      }
      this.lease.run(now + leaseMs, seq);
      return { id, at: created_at, attempt: attempts + 1, event, confirmation, task };
    });
  }

  complete(id: string): boolean {
    return this.remove.run(id) > 0;
  }

  postpone(id: string, attempt: number, delayMs: number): boolean {
    return this.postponed.run(this.unit.now() + delayMs, id, attempt) > 0;
  }

  /** Whether something waits to be claimed. */
  isDue(): boolean {
    return this.visible.get(this.unit.now(), 1) !== undefined;
  }

  counts(): QueueCounts {
    const first = this.oldest.get(1);
    return {
      waiting: this.counted.get()?.waiting ?? 0,
      ...(first && { oldestMs: Math.max(0, this.unit.now() - first.created_at) }),
    };
  }

  /** Gives up what happened before `cutoff`. @returns whether there may be more */
  purge(cutoff: number): boolean {
    const outdated = this.oldest.all(STEP_ROWS).filter(({ created_at }) => created_at <= cutoff);
    this.drop(outdated.map(({ id }) => id));
    return outdated.length === STEP_ROWS;
  }

  private noteConfirmation(kind: 'opened' | 'expiring' | 'decision', event: WebhookEventName, callbackId: string): void {
    if (this.asked.has(event)) this.note(`${kind}-${callbackId.replaceAll(/[^A-Za-z0-9]/g, '-')}`, event, callbackId, null);
  }

  private note(id: string, event: WebhookEventName, confirmationId: string | null, task: string | null): void {
    const now = this.unit.now();
    this.insert.run(id, confirmationId, task, event, now, now);
  }

  private drop(ids: string[]): void {
    for (const id of ids) this.remove.run(id);
    if (ids.length > 0) this.unit.emit({ kind: 'dropped', count: ids.length });
  }
}
