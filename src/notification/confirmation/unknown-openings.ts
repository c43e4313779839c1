/**
 * Prompts of which this node does not know whether they are stored: the engine became unavailable during the call, and the
 * caller got an error. Such a prompt is withdrawn once the engine is back, as no caller waits for its decision. A prompt with a
 * key is not: the caller finds it again by calling with the same key.
 */
import type { ConfirmationStore, OpenRequest } from '../engine/confirmation-store.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import { inParallel } from '../pacing/in-parallel.js';
import { SingleFlight } from '../pacing/single-flight.js';

/** Beyond that many, the oldest are left to their deadlines. */
const MOST = 10_000;
const AT_ONCE = 16;

type Opening = Pick<OpenRequest, 'callbackId' | 'userId'>;

export class UnknownOpenings {
  private readonly openings = new Set<Opening>();
  private readonly withdrawing = new SingleFlight(() => inParallel(this.openings, AT_ONCE, (opening) => this.withdraw(opening)));
  private closed = false;

  constructor(
    private readonly store: Pick<ConfirmationStore, 'withdraw'>,
    private readonly logger: { error(message: string): void },
  ) {}

  add({ callbackId, userId }: Opening): void {
    this.openings.add({ callbackId, userId });
    const [oldest] = this.openings;
    if (this.openings.size > MOST && oldest) this.openings.delete(oldest);
    void this.withdrawing.run();
  }

  close(): void {
    this.closed = true;
    this.openings.clear();
  }

  private async withdraw(opening: Opening): Promise<void> {
    const { callbackId, userId: openedFor } = opening;
    const request = { callbackId, openedFor, scope: 'all' as const, reason: 'the call that asked has failed' };
    const isWanted = (): boolean => !this.closed && this.openings.has(opening);
    try {
      await readWhenAvailable(isWanted, () => this.store.withdraw(request));
    } catch (error) {
      this.logger.error(`withdrawing ${callbackId} failed: ${String(error)}`);
    }
    this.openings.delete(opening);
  }
}
