/** Parameters and results of `NotificationService` that belong to no other folder. */
import type { ConfirmationState } from '../protocol/confirmation.js';
import type { Confirmation, Page } from './engine/engine.js';

/** The person and the door of an answer. */
export interface AnswerBy {
  /** The user who answers; `null` for an anonymous answer. */
  userId: string | null;
  /** The door by which the answer came, 1 to 64 of `A-Z a-z 0-9 . _ : -`. @default 'service' */
  via?: string;
}

/** Which confirmations `listConfirmations` returns. */
export interface ListConfirmationsOptions {
  /** @default every user's */
  userId?: string;
  /** @default every task's */
  taskId?: string;
  /** @default every state */
  state?: ConfirmationState;
  /** Only those that were opened before this moment, in Unix milliseconds. */
  openedBefore?: number;
  /** @default false: oldest first */
  newestFirst?: boolean;
  /** @default 100 */
  limit?: number;
  /** The `cursor` of an earlier page. */
  cursor?: string;
}

/** How `getConfirmation` waits. */
export interface WaitOptions {
  /** How long to wait for the decision, in milliseconds. @default 0 */
  waitMs?: number;
  /** Ends the wait early. */
  signal?: AbortSignal;
}

/** A page of confirmations; `cursor` is there while there are more. */
export type ConfirmationPage = Page<Confirmation>;
