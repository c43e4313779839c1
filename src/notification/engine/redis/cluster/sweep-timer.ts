/**
 * When partitions are swept: all of them once per interval, after the heartbeat, and each one when the earliest deadline that
 * this node knows of there has passed. Times are by a partition's clock, moments by this node's monotonic clock.
 */
import { clearInterval, clearTimeout, monotonicMs, setInterval, setTimeout } from '../../../pacing/time-source.js';
import { SingleFlight } from '../../../pacing/single-flight.js';
import type { EngineReading } from '../../deadlines.js';
import type { Heartbeat } from './heartbeat.js';
import type { PartitionClocks } from './partition-clock.js';
import type { Sweep } from './sweep.js';

export interface SweepTimerParts {
  readonly everyMs: number;
  readonly partitions: readonly number[];
  readonly sweep: Pick<Sweep, 'run'>;
  readonly clocks: PartitionClocks;
  readonly heartbeat: Pick<Heartbeat, 'beat'>;
  readonly reading: EngineReading | undefined;
  readonly onError: (error: unknown) => void;
}

/** Just below the longest time that `setTimeout` takes. */
const LONGEST_MS = 2_000_000_000;

export class SweepTimer {
  /** By partition: the time of the earliest known deadline. */
  private readonly due = new Map<number, number>();
  private readonly sweeps: ReadonlyMap<number, SingleFlight>;
  private readonly round = new SingleFlight(() => this.runRound());
  /** Sweeps that wait until the sockets have been read. */
  private readonly reading = new Set<Promise<void>>();
  private interval: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  private armedFor = Infinity;

  constructor(private readonly parts: SweepTimerParts) {
    this.sweeps = new Map(parts.partitions.map((partition) => [partition, new SingleFlight(() => this.sweep(partition))]));
  }

  start(): void {
    this.interval = setInterval(() => void this.sweepAll(), this.parts.everyMs).unref();
    this.arm();
  }

  /** Something is due in a partition at a time. */
  expect(partition: number, time: number): void {
    this.due.set(partition, Math.min(this.due.get(partition) ?? Infinity, time));
    this.arm();
  }

  /** Sweeps all partitions, or joins a round that is under way. Does nothing before the start. */
  sweepAll(): Promise<void> {
    if (!this.interval) return Promise.resolve();
    return this.round.join();
  }

  /** Sweeps a partition as soon as this node has read its sockets up to a time. Never rejects. */
  sweepAfterReading(partition: number, time: number): Promise<void> {
    if (!this.interval) return Promise.resolve();
    const { reading, onError } = this.parts;
    const waiting = (reading?.reach(this.momentOf(partition, time)) ?? Promise.resolve())
      // A sweep under way may have been sent before.
      .then(() => this.sweeps.get(partition)?.run())
      .catch(onError)
      .finally(() => this.reading.delete(waiting));
    this.reading.add(waiting);
    return waiting;
  }

  async stop(): Promise<void> {
    clearInterval(this.interval);
    clearTimeout(this.timer);
    this.interval = undefined;
    await Promise.allSettled([this.round, ...this.sweeps.values()].map((flight) => flight.idle()));
    await Promise.allSettled(this.reading);
    clearTimeout(this.timer);
  }

  private async runRound(): Promise<void> {
    try {
      await this.parts.heartbeat.beat();
      await Promise.all([...this.sweeps.values()].map((sweep) => sweep.join()));
    } catch (error) {
      this.parts.onError(error);
    }
  }

  private async sweep(partition: number): Promise<void> {
    this.due.delete(partition);
    const { nextAt } = await this.parts.sweep.run(partition, 'running');
    if (nextAt !== undefined) this.expect(partition, nextAt);
  }

  private arm(): void {
    if (!this.interval) return;
    const next = Math.min(...[...this.due].map(([partition, time]) => this.momentOf(partition, time)));
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
      if (this.momentOf(partition, time) > now) continue;
      this.due.delete(partition);
      void this.sweepAfterReading(partition, time);
    }
    this.arm();
  }

  private momentOf(partition: number, time: number): number {
    return this.parts.clocks.of(partition).momentOf(time);
  }
}
