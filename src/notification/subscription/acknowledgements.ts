/**
 * Callers of this node that wait for a message's acknowledgement. The engine's event ends the wait. An event can be lost, so the
 * store is read at the end of each wait and after each gap.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Broker } from '../engine/broker.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import { Clock, type ClockTimer } from '../pacing/clock.js';
import { inParallel } from '../pacing/in-parallel.js';

/** One call's wait for an acknowledgement. */
export interface Expected {
  /** Waits at most `timeoutMs`. @returns `undefined` when the engine cannot say */
  within(timeoutMs: number): Promise<boolean | undefined>;
  stop(): void;
}

interface Waiter {
  userId: string;
  finish: (acknowledged: boolean | undefined) => void;
}

/** How many messages are read at once after a gap. */
const READS_AT_ONCE = 16;

@Injectable()
export class Acknowledgements {
  private readonly waiters = new Map<string, Waiter>();

  constructor(
    @Inject(Broker) private readonly broker: Broker,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** To be called before the message is sent, so that no acknowledgement is missed. */
  expect(messageId: string, userId: string): Expected {
    let settle!: (acknowledged: boolean | undefined) => void;
    const acknowledged = new Promise<boolean | undefined>((resolve) => (settle = resolve));
    let timer: ClockTimer | undefined;
    const finish = (result: boolean | undefined): void => {
      timer?.cancel();
      this.waiters.delete(messageId);
      settle(result);
    };
    this.waiters.set(messageId, { userId, finish });
    return {
      within: (timeoutMs) => {
        if (this.waiters.has(messageId)) timer = this.clock.after(timeoutMs, () => void this.end(messageId));
        return acknowledged;
      },
      stop: () => finish(false),
    };
  }

  onAcknowledged(messageId: string): void {
    this.waiters.get(messageId)?.finish(true);
  }

  /** Events may have been lost: reads every message that somebody waits for, as soon as the engine can be read. */
  reread(): Promise<void> {
    return inParallel(this.waiters, READS_AT_ONCE, async ([messageId, { userId, finish }]) => {
      const isAcknowledged = await readWhenAvailable(
        () => this.waiters.has(messageId),
        () => this.broker.isAcknowledged(messageId, userId),
      );
      if (isAcknowledged) finish(true);
    });
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
