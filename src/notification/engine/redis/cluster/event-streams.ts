/** The event streams of all partitions, and what becomes of their events. */
import { EngineUnavailableError } from '../../../notification.errors.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { EVENTS_AFTER } from '../scripts/node.js';
import { EVENT_PAGE, EventStream, eventOf, type StreamEvent } from './event-stream.js';

export interface StreamListener {
  onEvent(event: StreamEvent, partition: number): void;
  /** Events were lost. */
  onLost(): void;
  onError(error: unknown): void;
}

export class EventStreams {
  private readonly streams: readonly EventStream[];

  constructor(
    private readonly runner: ScriptRunner,
    partitions: Partitions,
    private readonly listener: StreamListener,
  ) {
    this.streams = partitions.all.map(
      (partition) =>
        new EventStream({
          after: (order, limit) => this.runner.run(EVENTS_AFTER, partition, { order, limit }),
          emit: (event) => listener.onEvent(event, partition),
          onLost: () => listener.onLost(),
          onError: (error) => listener.onError(error),
        }),
    );
  }

  of(partition: number): EventStream {
    const stream = this.streams[partition];
    if (!stream) throw new RangeError(`there is no partition ${partition}`);
    return stream;
  }

  /**
   * Resolves when the events of a partition up to an order were emitted here.
   * @param decided whether the caller is about to report a decision, which replicas must have first
   * @throws EngineUnavailableError when too few replicas have it
   */
  async emitted(partition: number, order: number, decided = true): Promise<void> {
    const stream = this.of(partition);
    await stream.passed(order);
    if (this.runner.waitsForReplicas && decided && stream.position < order)
      throw new EngineUnavailableError('too few replicas have the decision');
  }

  /** Emits the decisions of a partition after `from`, up to where its stream began here (E5). */
  async replay(partition: number, from: number): Promise<void> {
    const to = this.of(partition).position;
    for (let order = from; order < to;) {
      const page = await this.runner.run(EVENTS_AFTER, partition, { order, limit: EVENT_PAGE });
      for (const entry of page) {
        order = entry.order;
        const event = order <= to ? eventOf(entry) : undefined;
        // The node that applied a deadline may be gone.
        if (event?.kind === 'decided') this.listener.onEvent({ ...event, appliedBy: undefined }, partition);
      }
      if (page.length < EVENT_PAGE) return;
    }
  }
}
