/**
 * Whether this node may have missed something, and since when. A gap opens when a connection, a subscription or a reading
 * failed. It closes when the node has caught up, unless another gap was reported meanwhile.
 *
 * Times are by Redis' clock.
 */
export class Gaps {
  /** The newest moment at which nothing was known to be missed. */
  private soundUntil = 0;
  private open = false;
  private reports = 0;
  private listener: (() => void) | undefined;

  /** @param listener is called when there is a gap and Redis answers */
  onReport(listener: () => void): void {
    this.listener = listener;
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** Something may have been missed. @param since when, if that is earlier than the newest sound moment */
  report(since = Infinity): void {
    this.soundUntil = Math.min(this.soundUntil, since);
    this.reports += 1;
    this.open = true;
    this.listener?.();
  }

  /** Redis does not answer: there is a gap, but no way to catch up yet. */
  suspect(): void {
    this.open = true;
  }

  /** Redis answers again: an open gap can be closed. */
  recheck(): void {
    if (this.open) this.listener?.();
  }

  /** Redis has answered at this moment. */
  noteSound(now: number): void {
    if (!this.open) this.soundUntil = Math.max(this.soundUntil, now);
  }

  /** Catches up, and closes the gap if no other was reported meanwhile. */
  async close(catchUp: (since: number) => Promise<void>): Promise<void> {
    const { reports } = this;
    await catchUp(this.soundUntil);
    this.open = reports !== this.reports;
  }

  /** The node starts: its start reads everything that came before. */
  reset(): void {
    this.open = false;
  }
}
