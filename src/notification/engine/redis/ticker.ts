/**
 * What has to be done again and again, by whichever node comes first: deadlines, warnings, forgetting. One look at every
 * partition per interval, and one timer for the earliest deadline that this node knows of.
 */
export interface TickerOptions {
  everyMs: number;
  partitions: readonly number[];
  /** Looks at a partition. @returns the moment, by Redis' clock, at which something is due there, and what its clock shows */
  look(partition: number): Promise<{ now: number; next: number | undefined }>;
  /** Once per interval, before the looks. */
  beat(): Promise<void>;
  onError(error: unknown): void;
}

const LONGEST_MS = 2_000_000_000;

export class Ticker {
  private readonly due = new Map<number, number>();
  private readonly looking = new Map<number, Promise<void>>();
  private interval: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  private armedFor = Infinity;
  private running: Promise<void> | undefined;
  /** Redis' clock less ours. */
  private ahead = 0;

  constructor(private readonly options: TickerOptions) {}

  start(): void {
    this.interval = setInterval(() => void this.round(), this.options.everyMs).unref();
    this.arm();
  }

  /** Something is due in a partition at a moment by Redis' clock, which shows `now`. */
  expect(partition: number, moment: number, now: number): void {
    this.ahead = now - Date.now();
    this.due.set(partition, Math.min(this.due.get(partition) ?? Infinity, moment));
    this.arm();
  }

  /** One look at everything; joins one that is under way. */
  round(): Promise<void> {
    this.running ??= this.all().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  async stop(): Promise<void> {
    clearInterval(this.interval);
    clearTimeout(this.timer);
    this.interval = undefined;
    await Promise.allSettled([this.running, ...this.looking.values()]);
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
      .then(({ now, next }) => {
        if (next !== undefined) this.expect(partition, next, now);
      })
      .finally(() => this.looking.delete(partition));
    this.looking.set(partition, looking);
    return looking;
  }

  private arm(): void {
    if (!this.interval) return;
    const next = Math.min(...this.due.values());
    if (next === this.armedFor) return;
    clearTimeout(this.timer);
    this.armedFor = next;
    if (next === Infinity) return;
    const wait = Math.min(Math.max(next - this.ahead - Date.now(), 0), LONGEST_MS);
    this.timer = setTimeout(() => this.onDue(), wait).unref();
  }

  private onDue(): void {
    this.armedFor = Infinity;
    const now = Date.now() + this.ahead;
    const partitions = [...this.due].flatMap(([partition, moment]) => (moment <= now ? [partition] : []));
    Promise.all(partitions.map((partition) => this.look(partition)))
      .catch((error: unknown) => this.options.onError(error))
      .finally(() => this.arm());
  }
}
