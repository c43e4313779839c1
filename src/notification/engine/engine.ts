/**
 * The engine: where confirmations, tasks, messages and positions live, and how nodes learn of changes.
 *
 * An engine knows no socket, no connection and no Nest. It consists of the six parts below and speaks upward only through
 * `EngineHandler`. One suite of tests (test/contract) runs against every engine.
 *
 * Code refers to the guarantees by number. Those of every part stand here; E2 is in `confirmation-store.ts`, E4 and E5 are
 * in `engine-handler.ts`, E7 is in `event-queue.ts`.
 *  E1  Stored before emitted: a call that changes something resolves, and its event is emitted, only after the change
 *      would survive `kill -9` of this process.
 *  E3  Everything repeats safely: the same `open` (by callback id or key), `decide`, `withdraw`, `cancel`, `ack` or
 *      `sendAcknowledged` (by message id) again changes nothing and gets the same result.
 *  E6  Failing safe: a call that cannot be carried out rejects with `EngineUnavailableError` (or `StoreFullError` when
 *      only new things are refused). No fault decides anything.
 *
 * Times are Unix milliseconds by the engine's clock; durations are milliseconds.
 */
import type { WebhookEventName } from '../../protocol/webhook-events.js';
import type { Broker, StreamPosition } from './broker.js';
import type { Confirmation, ConfirmationStore } from './confirmation-store.js';
import type { EngineHandler } from './engine-handler.js';
import type { EventQueue } from './event-queue.js';
import type { Presence } from './presence.js';
import type { Revocations } from './revocations.js';
import type { TaskStore } from './task-store.js';

export * from './broker.js';
export * from './confirmation-store.js';
export * from './engine-handler.js';
export * from './event-queue.js';
export * from './presence.js';
export * from './revocations.js';
export * from './task-store.js';
export type { Page } from './page.js';
export type { Scope } from './scope.js';

/** What waits for a user who connects. */
export interface Waiting {
  /** The position of the user's channel. */
  position: StreamPosition;
  /** Of all pending confirmations, oldest first. */
  pendingIds: string[];
  /** The pending confirmations themselves, where they are few and were read in the same step. */
  pending?: Confirmation[];
  /** Whether there are messages without an acknowledgement. */
  hasMessages: boolean;
}

export interface Counts {
  pendingConfirmations: number;
  unacknowledgedMessages: number;
  /** Pending confirmations that are younger than each of the ages that the call named. */
  younger?: number[];
}

export interface ClusterStatus {
  engine: string;
  nodes: number;
  activeConnections: number;
}

/** What one node says of itself, a few seconds ago at most. */
export interface NodeReport {
  /** Its name. The workers of a node have the same. */
  node: string;
  /** What its handler's `describeNode` returned. */
  report: string;
}

/** Resolved settings that every engine takes. */
export interface EngineSettings {
  /** How long decisions, cancellations and unacknowledged messages are kept. */
  retentionMs: number;
  historySize: number;
  historyTtlMs: number;
  maxConnectionsPerUser: number;
  /** Pending confirmations of one user; with one more `open` rejects with `TooManyPendingError`. @default no limit */
  maxPendingPerUser?: number;
  /**
   * The webhook events that are stored (E7). Where nodes disagree, every event that one of them names is stored, for the
   * retention after the last such node. A node that names some ends the storing of the others at its start. @default none
   */
  webhookEvents?: readonly WebhookEventName[];
}

export interface Engine {
  readonly name: 'embedded' | 'redis';
  readonly confirmations: ConfirmationStore;
  readonly tasks: TaskStore;
  readonly broker: Broker;
  readonly presence: Presence;
  readonly revocations: Revocations;
  readonly events: EventQueue;

  /**
   * Opens the store, applies deadlines that passed while nothing ran (a default of `proceed` only where the caller
   * itself gave it), then begins to emit events.
   * @throws ConfigurationError when the store cannot be used (locked by another process, corrupt, not writable)
   */
  start(handler: EngineHandler): Promise<void>;
  /** Emits the decisions that may not have been emitted before the last stop (E5). Called once, when all listeners exist. */
  replayDecisions(): Promise<void>;
  /** Finishes the calls under way and closes the store. Later calls reject with `EngineUnavailableError`. */
  close(): Promise<void>;
  /** @throws EngineUnavailableError when the store does not answer within 2 s */
  ping(): Promise<void>;

  /** Reads in one step what a user's new connection is to be shown, so that a crowd that reconnects costs little. */
  waiting(userId: string): Promise<Waiting>;
  /** @param agesMs ages by which pending confirmations are counted, shortest first */
  counts(agesMs?: readonly number[]): Promise<Counts>;
  /** @param localConnections this node's connections, anonymous ones included */
  cluster(localConnections: number): Promise<ClusterStatus>;
  /** The newest report of each living node, and of each of its workers. A node that has just started may have none. */
  reports(): Promise<NodeReport[]>;
}

/** DI token of the same name as the interface. */
export const Engine = Symbol('Engine');
