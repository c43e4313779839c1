/** One timer for the next moment at which something is due. */

/** Timers reach no further than 24 days; and a clock that is set meanwhile is noticed within the hour. */
const LONGEST_MS = 3_600_000;

export class DeadlineTimer {
  private timer: NodeJS.Timeout | undefined;
  private armedFor: number | null = null;

  constructor(private readonly onDue: () => void) {}

  /** @param moment Unix milliseconds; `null`: nothing is due */
  arm(moment: number | null): void {
    if (moment === this.armedFor) return;
    this.stop();
    if (moment === null) return;
    this.armedFor = moment;
    this.timer = setTimeout(
      () => {
        this.stop();
        if (Date.now() >= moment) this.onDue();
        else this.arm(moment);
      },
      Math.min(Math.max(moment - Date.now(), 0), LONGEST_MS),
    );
    this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.armedFor = null;
  }
}
