/**
 * The event queue: webhook events that wait to be delivered.
 *
 *  E7  The opening of a confirmation, the warning before its deadline, its decision, and a task's cancellation and
 *      resumption each store a webhook event in the same atomic step, if the settings name that event. An event is leased
 *      to one caller at a time, by the engine's own clock. It can be claimed again when the lease ends, until it is
 *      completed or is as old as `retention`. So every event is delivered at least once, in no promised order, whichever
 *      nodes die.
 */
import type { WebhookEventName } from '../../protocol/webhook-events.js';
import type { Confirmation } from './confirmation-store.js';
import type { Task } from './task-store.js';

/** Something that happened and is to be delivered to the webhook's receiver (E7). */
export interface WebhookEvent {
  /** The same at every attempt; letters, digits, `-`. */
  id: string;
  /** When it happened. */
  at: number;
  /** How often it has been claimed, this time included. */
  attempt: number;
  event: WebhookEventName;
  /**
   * A confirmation, pending in the events before its decision even when it has been decided since; or a task as the change
   * left it.
   */
  subject: { kind: 'confirmation'; confirmation: Confirmation } | { kind: 'task'; task: Task };
}

export interface QueueCounts {
  /** Events that are not completed. */
  waiting: number;
  /** For how long the oldest of them has been waiting, by the engine's clock. */
  oldestMs?: number;
}

export interface EventQueue {
  /**
   * Leases events that nobody holds, the longest waiting first. Nobody else gets them until `leaseMs` have passed.
   * @returns fewer than `limit` when this node knows of no more
   */
  claim(limit: number, leaseMs: number): Promise<WebhookEvent[]>;
  /** Removes a delivered event, also after its lease. @returns whether it was still there */
  complete(event: WebhookEvent): Promise<boolean>;
  /** Gives an event back; it can be claimed again after `delayMs`. @returns whether the claim still held it */
  postpone(event: WebhookEvent, delayMs: number): Promise<boolean>;
  counts(): Promise<QueueCounts>;
}

/** DI token of the same name as the interface. */
export const EventQueue = Symbol('EventQueue');
