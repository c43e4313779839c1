/**
 * What has to be done again and again, by whichever node comes first: deadlines, warnings, forgetting. One look at every
 * partition per interval, and one timer for the earliest deadline that this node knows of. Times are by a partition's clock,
 * moments are of `monotonicMs`.
 */
import { clearInterval, clearTimeout, monotonicMs, setInterval, setTimeout } from '../../../pacing/time-source.js';

export interface TickerOptions {
  everyMs: number;
  partitions: readonly number[];
  /** Looks at a partition. @returns the time at which something is due there */
  readonly look: (partition: number) => Promise<number | undefined>;
  readonly momentOf: (partition: number, time: number) => number;
  /** Resolves when this node has read its sockets up to a moment. */
  readonly read: (moment: number) => Promise<void>;
  /** Once per interval, before the looks. */
  readonly beat: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

const LONGEST_MS = 2_000_000_000;

export class Ticker {
  private readonly due = new Map<number, number>();
  private readonly looking = new Map<number, Promise<void>>();
  /** Looks that wait until the sockets have been read. */
  private readonly reading = new Set<Promise<void>>();
  private interval: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  private armedFor = Infinity;
  private running: Promise<void> | undefined;

  constructor(private readonly options: TickerOptions) {}

  start(): void {
    this.interval = setInterval(() => void this.round(), this.options.everyMs).unref();
    this.arm();
  }

  /** Something is due in a partition. */
  expect(partition: number, time: number): void {
    this.due.set(partition, Math.min(this.due.get(partition) ?? Infinity, time));
    this.arm();
  }

  /** One look at everything, if it has started; joins one that is under way. */
  round(): Promise<void> {
    if (!this.interval) return Promise.resolve();
    this.running ??= this.all().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Looks at a partition as soon as this node has read its sockets up to a time. */
  lookAfter(partition: number, time: number): Promise<void> {
    if (!this.interval) return Promise.resolve();
    const { momentOf, read } = this.options;
    const looking = read(momentOf(partition, time))
      // One that is under way may have left before.
      .then(() => this.looking.get(partition))
      .then(() => this.look(partition))
      .catch((error: unknown) => this.options.onError(error))
      .finally(() => this.reading.delete(looking));
    this.reading.add(looking);
    return looking;
  }

  async stop(): Promise<void> {
    clearInterval(this.interval);
    clearTimeout(this.timer);
    this.interval = undefined;
    await Promise.allSettled([this.running, ...this.looking.values(), ...this.reading]);
    clearTimeout(this.timer);
  }

  private async all(): Promise<void> {
    try {
      await this.options.beat();
      await Promise.all(this.options.partitions.map((partition) => this.look(partition)));
    } catch (error) {
      this.options.onError(error);
    }
  }

  private look(partition: number): Promise<void> {
    const known = this.looking.get(partition);
    if (known) return known;
    this.due.delete(partition);
    const looking = this.options
      .look(partition)
      .then((next) => {
        if (next !== undefined) this.expect(partition, next);
      })
      .finally(() => this.looking.delete(partition));
    this.looking.set(partition, looking);
    return looking;
  }

  private arm(): void {
    if (!this.interval) return;
    const next = Math.min(...[...this.due].map(([partition, time]) => this.options.momentOf(partition, time)));
    if (next === this.armedFor) return;
    clearTimeout(this.timer);
    this.armedFor = next;
    if (next === Infinity) return;
    const wait = Math.min(Math.max(Math.ceil(next - monotonicMs()), 0), LONGEST_MS);
    this.timer = setTimeout(() => this.onDue(), wait).unref();
  }

  private onDue(): void {
    this.armedFor = Infinity;
    const now = monotonicMs();
    for (const [partition, time] of this.due) {
      if (this.options.momentOf(partition, time) > now) continue;
      this.due.delete(partition);
      void this.lookAfter(partition, time);
    }
    this.arm();
  }
}
