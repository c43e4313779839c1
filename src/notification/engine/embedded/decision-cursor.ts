/**
 * Up to which decision events were emitted (E5). Decisions are numbered, and the store keeps the number up to which they
 * were emitted. The replay emits those above it at a start; `heal` emits those that were made while a worker died.
 * The number is stored from time to time, so after a crash a decision is emitted once or twice, never zero times.
 */
import type { DecidedRow, DecisionRow } from './rows.js';
import type { StoreClient } from './store-client.js';
import type { Opened } from './store-protocol.js';

export class DecisionCursor {
  /** The newest decision that was emitted as it happened. */
  private live = 0;
  /** Decisions after this one, up to `until`, are still to be emitted; `undefined`: none. */
  private behind: number | undefined;
  private until = 0;
  /** The number that the store keeps. */
  private stored = 0;
  /** All listeners exist. */
  private replays = false;

  constructor(
    private readonly client: StoreClient,
    private readonly emit: (row: DecidedRow) => void,
  ) {}

  begin({ emitted, decisions }: Opened): void {
    this.stored = this.behind = emitted;
    this.live = this.until = decisions;
  }

  /** A decision is being emitted as it happens. */
  passed({ decision_seq }: DecisionRow): void {
    this.live = Math.max(this.live, decision_seq);
  }

  async replay(): Promise<void> {
    this.replays = true;
    await this.catchUp();
  }

  /** @param opened as the new worker reported */
  async heal({ decisions }: Opened): Promise<void> {
    this.behind = Math.min(this.behind ?? this.live, decisions);
    this.live = this.until = decisions;
    if (this.replays) await this.catchUp();
  }

  /** Stores the number, if it has changed. */
  async note(): Promise<void> {
    const position = this.behind ?? this.live;
    if (!this.replays || position === this.stored) return;
    await this.client.store.emitted(position);
    this.stored = position;
  }

  private async catchUp(): Promise<void> {
    while (this.behind !== undefined && this.behind < this.until) {
      const page = await this.client.store.decisions(this.behind, this.until);
      for (const row of page) this.emit(row);
      this.behind = page.at(-1)?.decision_seq ?? this.until;
    }
    this.behind = undefined;
  }
}
