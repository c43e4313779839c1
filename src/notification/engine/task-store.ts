/** The task store: whose a task is, and whether it is cancelled. E1, E3 and E6 hold; see `engine.ts`. */
import type { Arrival } from './deadlines.js';
import type { Scope } from './scope.js';

export interface Task {
  taskId: string;
  /** The user with whom back-end code first named the task; `null` while only a client has named it. */
  userId: string | null;
  cancelled: boolean;
  cancelledAt?: number;
  reason?: string;
  /** In events of a task without an owner: the user whom the canceller named. */
  namedUserId?: string;
}

export interface CancelRequest {
  taskId: string;
  scope: Scope;
  /** The user who cancels; `null`: an anonymous connection or back-end code. */
  cancelledBy: string | null;
  /** The door by which the cancellation came; the decisions that follow from it carry it too. @default 'service' */
  via?: string;
  reason?: string;
  /** The task's user, as the canceller says. Only passed on in the event while the task has no owner. */
  namedUserId?: string;
  /** Whether a task that nobody has named yet is remembered as cancelled (open mode, back-end code) or not found. */
  allowUnknown: boolean;
  /** When the cancellation reached the node. @default now */
  arrival?: Arrival;
}

export type CancelResult = { status: 'cancelled' | 'already_cancelled'; task: Task } | { status: 'not_found' };

export type ResumeResult = { status: 'resumed' | 'not_cancelled'; task: Task } | { status: 'not_found' };

export interface TaskStore {
  /** Makes the user the task's owner, unless it has one. */
  claim(taskId: string, userId: string): Promise<Task>;
  /**
   * Remembers the cancellation and decides the task's pending confirmations as `cancelled` in the same step.
   * Emits `onTask`, then `onDecided` for each of them.
   */
  cancel(request: CancelRequest): Promise<CancelResult>;
  /** Forgets a cancellation. Emits `onTask` when there was one. */
  resume(taskId: string): Promise<ResumeResult>;
  get(taskId: string): Promise<Task | undefined>;
}

/** DI token of the same name as the interface. */
export const TaskStore = Symbol('TaskStore');
