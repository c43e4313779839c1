/**
 * Which decisions the handler has heard of (E5). Decisions are numbered; the store remembers `told`, the number up to which
 * they were emitted. What lies above it at a start is emitted by the replay, what was decided while a worker died when
 * the next one has taken over. `told` is written now and then, so a crash may tell a decision twice, never not at all.
 */
import type { ConfirmationRecord } from './rows.js';
import type { StoreClient } from './store-client.js';
import type { Opened } from './store-protocol.js';

export class ToldDecisions {
  /** The newest decision that was emitted as it happened. */
  private emitted = 0;
  /** Decisions after this one, up to `until`, are still to be emitted; `undefined`: none. */
  private behind: number | undefined;
  private until = 0;
  private told = 0;
  /** Listeners are in place. */
  private wanted = false;

  constructor(
    private readonly store: StoreClient,
    private readonly emit: (record: ConfirmationRecord) => void,
  ) {}

  begin({ told, decisions }: Opened): void {
    this.told = this.behind = told;
    this.emitted = this.until = decisions;
  }

  /** A decision is being emitted as it happens. */
  hear(record: ConfirmationRecord): void {
    this.emitted = Math.max(this.emitted, record.decision_seq ?? 0);
  }

  async replay(): Promise<void> {
    this.wanted = true;
    await this.catchUp();
  }

  /** @param opened what the worker found that took over */
  async heal({ decisions }: Opened): Promise<void> {
    this.behind = Math.min(this.behind ?? this.emitted, decisions);
    this.emitted = this.until = decisions;
    if (this.wanted) await this.catchUp();
  }

  async note(): Promise<void> {
    const heard = this.behind ?? this.emitted;
    if (!this.wanted || heard === this.told) return;
    await this.store.call('told', [heard]);
    this.told = heard;
  }

  private async catchUp(): Promise<void> {
    while (this.behind !== undefined && this.behind < this.until) {
      const page = await this.store.call('decisions', [this.behind, this.until]);
      for (const record of page) this.emit(record);
      this.behind = page.at(-1)?.decision_seq ?? this.until;
    }
    this.behind = undefined;
  }
}
