/**
 * Calls that wait (`?wait=`): bounded in number, and bound to their caller's rights.
 *
 *  1. A long poll ends when its client goes away.
 *  2. It ends with 401 when the caller's token expires or its user is revoked. It then returns no result.
 *  3. When the caller's access is reviewed, it checks again whether the caller may read the result.
 */
import { Injectable } from '@nestjs/common';
import { Rights } from '../access/rights.js';
import { NotificationError } from '../notification.errors.js';
import type { Caller } from './callers.js';
import { performance } from '../pacing/time-source.js';

/** Long polls that may wait on this node. */
const MAX_AT_ONCE = 10_000;
/** For users only: a service has many workers behind one key. */
const MAX_AT_ONCE_PER_USER = 100;

@Injectable()
export class LongPolls {
  private total = 0;
  private readonly byUser = new Map<string, number>();

  constructor(private readonly rights: Rights) {}

  /**
   * @param step waits at most the given milliseconds, ends early when the signal aborts, and checks the caller's rights itself
   * @param isOver whether a step's result ends the wait
   * @throws NotificationError UNAUTHENTICATED, RATE_LIMITED (too many of this user's), BUSY (too many of all), and what `step` throws
   */
  async run<Result>(
    { proof, userId, gone }: Caller,
    waitMs: number,
    step: (waitMs: number, signal: AbortSignal) => Promise<Result>,
    isOver: (result: Result) => boolean = () => true,
  ): Promise<Result> {
    const leave = this.enter(userId);
    const until = performance.now() + waitMs;
    try {
      for (;;) {
        const remainingMs = Math.max(0, until - performance.now());
        const hold = this.rights.hold(proof);
        let result: Result;
        try {
          result = await step(remainingMs, AbortSignal.any([gone, hold.signal]));
        } catch (error) {
          await this.rights.assertStanding(proof);
          throw error;
        } finally {
          hold.release();
        }
        await this.rights.assertStanding(proof);
        if (isOver(result) || !hold.signal.aborted || gone.aborted || performance.now() >= until) return result;
      }
    } finally {
      leave();
    }
  }

  private enter(userId: string | null): () => void {
    const own = userId === null ? 0 : (this.byUser.get(userId) ?? 0);
    if (own >= MAX_AT_ONCE_PER_USER)
      throw new NotificationError('RATE_LIMITED', `at most ${MAX_AT_ONCE_PER_USER} calls may wait`);
    if (this.total >= MAX_AT_ONCE) throw new NotificationError('BUSY', 'too many calls wait on this node');
    this.total += 1;
    if (userId !== null) this.byUser.set(userId, own + 1);
    return () => {
      this.total -= 1;
      if (userId === null) return;
      const left = (this.byUser.get(userId) ?? 1) - 1;
      if (left === 0) this.byUser.delete(userId);
      else this.byUser.set(userId, left);
    };
  }
}
