/** Calls that have been made and have no outcome yet. */
import { EngineUnavailableError } from '../../notification.errors.js';
import { clearTimeout, setTimeout } from '../../pacing/time-source.js';
import { errorOf } from './store-errors.js';
import type { Call, CallOutcome } from './store-protocol.js';
import type { StoreEvent } from './unit-of-work.js';

export interface PendingCall {
  /** Absent: nothing for the store, only a turn in the order of outcomes. */
  readonly call?: Call | undefined;
  succeed(value: unknown): void;
  fail(error: Error): void;
}

/**
 * @param emit runs in the call's turn; what it returns is the result
 * @param withinMs after this time the result rejects, and `onGivenUp` is called
 */
export function pendingCall(
  call: Call | undefined,
  emit: (value: never) => unknown,
  withinMs: number | undefined,
  onGivenUp: (pending: PendingCall) => void,
): { pending: PendingCall; result: Promise<unknown> } {
  let pending!: PendingCall;
  const result = new Promise((resolve, reject) => {
    const giveUp = (): void => {
      onGivenUp(pending);
      reject(new EngineUnavailableError('the store does not answer'));
    };
    const timer = withinMs === undefined ? undefined : setTimeout(giveUp, withinMs);
    pending = {
      call,
      succeed: (value) => {
        clearTimeout(timer);
        try {
          resolve(emit(value as never));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      },
      fail: (error) => {
        clearTimeout(timer);
        reject(error);
      },
    };
  });
  return { pending, result };
}

/** What hears of outcomes. */
export interface OutcomeListener {
  onEvent(event: StoreEvent): void;
  /** A step of the store failed for no fault of its caller. */
  onFailure(message: string): void;
}

/** Emits each call's events, then resolves it, in order. */
export function resolveInOrder(pending: readonly PendingCall[], outcomes: readonly CallOutcome[], to: OutcomeListener): void {
  let next = 0;
  for (const one of pending) {
    const outcome = one.call ? outcomes[next++] : { value: undefined, events: [] };
    if (!outcome) throw new Error('the store answered fewer calls than it got');
    if ('failure' in outcome) {
      if (outcome.failure.kind === 'unavailable') to.onFailure(outcome.failure.message);
      one.fail(errorOf(outcome.failure));
      continue;
    }
    for (const event of outcome.events) to.onEvent(event);
    one.succeed(outcome.value);
  }
}
