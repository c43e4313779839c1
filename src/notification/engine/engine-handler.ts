/**
 * The engine's events, as one node receives them.
 *
 *  E4  Order: events of one confirmation and of one channel reach the handler in the order in which they were stored.
 *  E5  At least once: a decision whose event this node may not have handled is emitted again after the next start.
 *      `onGap` says that events may have been lost; the handler then re-reads what it waits for.
 */
import type { AcknowledgedMessage, Publication, StreamPosition } from './broker.js';
import type { Confirmation, Decided } from './confirmation-store.js';
import type { Task } from './task-store.js';

/** Implemented by the dispatcher. Its methods must not throw. */
export interface EngineHandler {
  /** @returns what this node reports of itself: JSON, at most a few KiB */
  describeNode(): Promise<string>;
  onOpened(confirmation: Confirmation): void;
  /** @param isOurs of a decision by the clock: whether this node is to write it into the audit trail, alone of all nodes */
  onDecided(confirmation: Decided, isOurs: boolean): void;
  /** 80 % of the confirmation's time has passed. */
  onExpiring(confirmation: Confirmation): void;
  /** A user has hidden the confirmation from their devices, for a while. */
  onDismissed(confirmation: Confirmation): void;
  /** A task was cancelled, or resumed (`cancelled: false`). */
  onTask(task: Task): void;
  /** @returns the number of this node's connections that it reached */
  onPublication(publication: Publication): number;
  /** @returns the number of this node's connections that it reached */
  onAcknowledgedMessage(message: AcknowledgedMessage): number;
  onAcknowledged(messageId: string, userId: string): void;
  /** The per-user limit was passed: this connection of this node must close. */
  onEvicted(connectionId: string): void;
  /** The user was revoked: this node's connections of the user must close. */
  onRevoked(userId: string): void;
  /** The user's rights may have changed and must be asked for again. */
  onReview(userId: string): void;
  /** Another node has taken the lease of the task's heartbeat. @param order the place of that take among those of all nodes */
  onLeaseTaken(taskId: string, order: number): void;
  /** This node's lease had ended: for a while other nodes did not count this one as alive. */
  onLeaseEnded(): void;
  /** Events may have been lost (E5). */
  onGap(): void;
  /** The channel stands at `head`, and some of its publications up to there may not have been emitted here. */
  onMissed(channel: string, head: StreamPosition): void;
  /**
   * There may be webhook events to claim (E7). Emitted at once on one node when something happened, and within about a
   * second on every node while events wait that nobody has claimed.
   */
  onWebhookEvents(): void;
  /** This many webhook events were never completed, and are given up after the retention. */
  onWebhookEventsDropped(count: number): void;
}
