/**
 * Callers of this node that wait for a message's acknowledgement. The engine's event ends the wait. An event can be lost, so the
 * store is read at the end of each wait and after each gap.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Broker } from '../engine/broker.js';
import { Clock } from '../pacing/clock.js';

interface Waiter {
  userId: string;
  finish: (acknowledged: boolean | undefined) => void;
}

@Injectable()
export class Acknowledgements {
  private readonly waiters = new Map<string, Waiter>();

  constructor(
    @Inject(Broker) private readonly broker: Broker,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Waits at most `timeoutMs`. To be called before the message is sent.
   * @returns `acknowledged` resolves with `undefined` when the engine cannot say
   */
  expect(messageId: string, userId: string, timeoutMs: number): { acknowledged: Promise<boolean | undefined>; stop(): void } {
    let settle!: (acknowledged: boolean | undefined) => void;
    const acknowledged = new Promise<boolean | undefined>((resolve) => (settle = resolve));
    const timer = this.clock.after(timeoutMs, () => void this.end(messageId));
    const finish = (result: boolean | undefined): void => {
      timer.cancel();
      this.waiters.delete(messageId);
      settle(result);
    };
    this.waiters.set(messageId, { userId, finish });
    return { acknowledged, stop: () => finish(false) };
  }

  onAcknowledged(messageId: string): void {
    this.waiters.get(messageId)?.finish(true);
  }

  /** Events may have been lost: reads every message that somebody waits for. */
  async reread(): Promise<void> {
    for (const [messageId, { userId, finish }] of [...this.waiters])
      if (await this.broker.isAcknowledged(messageId, userId)) finish(true);
  }

  /** Callers that wait learn that there is no acknowledgement yet. */
  stop(): void {
    for (const { finish } of [...this.waiters.values()]) finish(false);
  }

  private async end(messageId: string): Promise<void> {
    const waiter = this.waiters.get(messageId);
    if (!waiter) return;
    try {
      waiter.finish(await this.broker.isAcknowledged(messageId, waiter.userId));
    } catch {
      // The engine is away: whether the message was acknowledged is not known.
      waiter.finish(undefined);
    }
  }
}
