/** One timer for the next moment at which something is due. */
import { clearTimeout, monotonicMs, setTimeout } from '../../pacing/time-source.js';

/** Timers reach no further than 24 days. */
const LONGEST_MS = 86_400_000;

export class DeadlineTimer {
  private timer: NodeJS.Timeout | undefined;
  private armedFor: number | null = null;

  constructor(private readonly onDue: (moment: number) => void) {}

  /** @param moment of `monotonicMs`; `null`: nothing is due */
  arm(moment: number | null): void {
    if (moment === this.armedFor) return;
    this.stop();
    if (moment === null) return;
    this.armedFor = moment;
    this.timer = setTimeout(
      () => {
        this.stop();
        if (monotonicMs() >= moment) this.onDue(moment);
        else this.arm(moment);
      },
      Math.min(Math.max(Math.ceil(moment - monotonicMs()), 0), LONGEST_MS),
    );
    this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.armedFor = null;
  }
}
