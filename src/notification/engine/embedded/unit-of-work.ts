/**
 * One step of the worker: its moment, the counters that it changes, and the events that it causes. A rolled-back transaction
 * takes all of it back (`mark`, `restore`).
 */
import type { Task } from '../engine.js';
import type { AskedRow, DecisionRow, PendingRow } from './rows.js';
import { StoreClock } from './store-clock.js';
import { systemClock, type Clock } from '../../pacing/clock.js';

export type StoreEvent =
  | { kind: 'expiring' | 'dismissed'; row: PendingRow }
  | { kind: 'decided'; row: AskedRow; decision: DecisionRow }
  | { kind: 'task'; task: Task }
  | { kind: 'acknowledged'; messageId: string; userId: string }
  | { kind: 'revoked'; userId: string; revokedAt: number }
  /** Channels, of which no head is known any more. */
  | { kind: 'forgotten' }
  /** Webhook events that were given up. */
  | { kind: 'dropped'; count: number };

/** How far the node had read its sockets when a call was made, and since when it had been serving; monotonic milliseconds. */
export interface ReadStamp {
  until: number;
  servingSince: number;
}

export interface Counters {
  pending: number;
  unacknowledged: number;
  /** The number of the newest decision. */
  decisions: number;
  /** No deadline is earlier than this; `null`: there is none. */
  nextDue: number | null;
}

export class UnitOfWork {
  private latest = 0;
  private events: StoreEvent[] = [];
  private marked: Counters;
  private read: ReadStamp = { until: 0, servingSince: Infinity };
  /** Deadlines up to this monotonic moment passed while nothing ran. */
  private readonly startedAt: number;
  readonly clock: StoreClock;

  constructor(
    readonly counters: Counters,
    clock: Clock = systemClock,
  ) {
    this.clock = new StoreClock(
      () => clock.now(),
      () => clock.monotonicMs(),
    );
    this.startedAt = clock.monotonicMs();
    this.marked = { ...counters };
    this.tick(this.read);
  }

  /** The moment of the call in progress: it stands still, so that what a call checked is still so when it writes. */
  now(): number {
    return this.latest;
  }

  /** A call begins. The clock goes back only with the wall clock. */
  tick(read: ReadStamp): void {
    this.read = read;
    this.latest = Math.max(this.latest, this.clock.now());
  }

  /** Everything that reached the node before this time had been handed to the store when the call was made. */

  readUntil(): number {
    return Math.min(this.latest, this.clock.at(this.read.until));
  }

  /** The monotonic moment since which the service has been serving without a break, as the call knows it. */
  get servingSince(): number {
    return Math.max(this.startedAt, this.read.servingSince);
  }

  /** The wall clock has jumped, and the stored deadlines with it. */
  jump(by: number): void {
    this.clock.adopt(by);
    this.latest += by;
    if (this.counters.nextDue !== null) this.counters.nextDue += by;
  }

  emit(event: StoreEvent): void {
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
