/** One timer for the next moment at which something is due. */
import { systemClock, type Clock, type ClockTimer } from '../../pacing/clock.js';

export class DeadlineTimer {
  private timer: ClockTimer | undefined;
  private armedFor: number | null = null;

  constructor(
    private readonly onDue: (moment: number) => void,
    private readonly clock: Clock = systemClock,
  ) {}

  /** @param moment of the clock's `monotonicMs`; `null`: nothing is due */
  arm(moment: number | null): void {
    if (moment === this.armedFor) return;
    this.stop();
    if (moment === null) return;
    this.armedFor = moment;
    this.timer = this.clock.after(Math.max(moment - this.clock.monotonicMs(), 0), () => {
      this.stop();
      if (this.clock.monotonicMs() >= moment) this.onDue(moment);
      else this.arm(moment);
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.armedFor = null;
  }
}
