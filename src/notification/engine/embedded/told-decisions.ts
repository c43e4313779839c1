/**
 * Which decisions the handler has heard of (E5). Decisions are numbered; the store remembers `told`, the number up to which
 * they were emitted. What lies above it at a start is emitted by the replay, what was decided while a worker died when
 * the next one has taken over. `told` is written now and then, so a crash may tell a decision twice, never not at all.
 */
import type { ConfirmationRecord } from './records.js';
import type { StoreClient } from './store-client.js';
import type { Opened } from './store-protocol.js';

export class ToldDecisions {
  /** The newest decision that was emitted, those of the replay aside. */
  private emitted = 0;
  private told = 0;
  private replayTo = 0;
  private replayed = false;

  constructor(
    private readonly store: StoreClient,
    private readonly emit: (record: ConfirmationRecord) => void,
  ) {}

  begin({ told, decisions }: Opened): void {
    this.told = told;
    this.emitted = this.replayTo = decisions;
  }

  /** A decision is being emitted as it happens. */
  hear(record: ConfirmationRecord): void {
    this.emitted = Math.max(this.emitted, record.decision_seq ?? 0);
  }

  async replay(): Promise<void> {
    await this.emitBetween(this.told, this.replayTo);
    this.replayed = true;
  }

  /** @param opened what the worker found that took over */
  async heal({ decisions }: Opened): Promise<void> {
    const heard = Math.min(this.emitted, decisions);
    this.emitted = decisions;
    this.told = Math.min(this.told, heard);
    await this.emitBetween(heard, decisions);
  }

  async note(): Promise<void> {
    if (!this.replayed || this.emitted === this.told) return;
    const { emitted } = this;
    await this.store.call('told', [emitted]);
    this.told = emitted;
  }

  private async emitBetween(from: number, to: number): Promise<void> {
    for (let after = from; after < to;) {
      const page = await this.store.call('decisions', [after, to]);
      for (const record of page) this.emit(record);
      after = page.at(-1)?.decision_seq ?? to;
    }
  }
}
