/**
 * What the worker knows besides the tables: its clock, its counters, and the events of the step in progress.
 * All of it goes back with a transaction that is rolled back (`mark`, `restore`).
 */
import type { Task } from '../engine.js';
import type { ConfirmationRecord } from './records.js';

export type StoreEvent =
  | { kind: 'opened' | 'decided' | 'expiring'; record: ConfirmationRecord }
  | { kind: 'task'; task: Task }
  | { kind: 'acknowledged'; messageId: string; userId: string }
  | { kind: 'revoked'; userId: string }
  /** Notices that were given up. */
  | { kind: 'dropped'; count: number };

export interface Counters {
  pending: number;
  unacknowledged: number;
  /** The number of the newest decision. */
  decisions: number;
  /** No deadline is earlier than this; `null`: there is none. */
  nextDue: number | null;
}

export class Ledger {
  private latest = 0;
  private events: StoreEvent[] = [];
  private marked: Counters;
  /** Deadlines up to here passed while nothing ran. */
  readonly startedAt = this.tick();

  constructor(readonly counters: Counters) {
    this.marked = { ...counters };
  }

  /** The moment of the call in progress: it stands still, so that what a call checked is still so when it writes. */
  now(): number {
    return this.latest;
  }

  /** A call begins. The clock never goes back while this process runs. */
  tick(): number {
    this.latest = Math.max(this.latest, Date.now());
    return this.latest;
  }

  tell(event: StoreEvent): void {
    this.events.push(event);
  }

  takeEvents(): StoreEvent[] {
    const events = this.events;
    this.events = [];
    return events;
  }

  /** A deadline that the clock has to come back for. */
  expect(moment: number | null): void {
    if (moment === null) return;
    this.counters.nextDue = Math.min(this.counters.nextDue ?? moment, moment);
  }

  mark(): void {
    this.marked = { ...this.counters };
    this.events = [];
  }

  restore(): void {
    Object.assign(this.counters, this.marked);
    this.events = [];
  }
}
