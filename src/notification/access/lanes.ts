/**
 * Runs work of one lane (an address) at most `atOnce` at a time; further work of the lane waits in line.
 */
import { NotificationError } from '../notification.errors.js';

interface Lane {
  running: number;
  waiting: (() => void)[];
}

export class Lanes {
  private readonly lanes = new Map<string, Lane>();
  private waiting = 0;

  constructor(
    private readonly atOnce: number,
    /** In all lanes together. */
    private readonly maxWaiting: number,
  ) {}

  /** @throws NotificationError BUSY when too much waits already, and what `work` throws */
  async run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const lane = this.lanes.get(name) ?? { running: 0, waiting: [] };
    this.lanes.set(name, lane);
    if (lane.running >= this.atOnce) await this.turn(lane);
    else lane.running += 1;
    try {
      return await work();
    } finally {
      // The next in line takes over the place.
      const next = lane.waiting.shift();
      if (next) next();
      else if (--lane.running === 0) this.lanes.delete(name);
    }
  }

  private async turn(lane: Lane): Promise<void> {
    if (this.waiting >= this.maxWaiting) throw new NotificationError('BUSY', 'too many authentications are under way');
    this.waiting += 1;
    await new Promise<void>((resolve) => lane.waiting.push(resolve));
    this.waiting -= 1;
  }
}
