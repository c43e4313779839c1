/**
 * Starts the recoveries of subscriptions: after `subscribe`, and whenever a live one may have missed something. A
 * subscription has one recovery at a time; a newer one replaces it.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { parseChannel } from '../../protocol/channels.js';
import type { StreamPosition } from '../../protocol/messages.js';
import type { FrameSource } from '../connection/frame-source.js';
import { Broker, type HistoryResult } from '../engine/broker.js';
import { TaskStore } from '../engine/task-store.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import { inParallel } from '../pacing/in-parallel.js';
import { SingleFlight } from '../pacing/single-flight.js';
import { recover } from './recovery.js';
import type { Start, Subscription } from './subscription.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { SubscriptionIndex } from './subscription-index.js';

const PAGE_SIZE = 100;
/** How many channels' positions are read at once after a gap. */
const READERS = 16;

@Injectable()
export class Recoveries {
  private readonly logger = new Logger(Recoveries.name);
  private readonly checking = new SingleFlight(() => inParallel(this.index.channels, READERS, (channel) => this.check(channel)));

  constructor(
    @Inject(Broker) private readonly broker: Broker,
    @Inject(TaskStore) private readonly tasks: TaskStore,
    private readonly index: SubscriptionIndex,
    private readonly metrics: NotificationMetrics,
  ) {}

  /**
   * Starts a recovery after the next reply.
   * @param head the channel's position at some time since the subscription began
   * @returns the position for the reply: the client has everything up to there, and gets what follows
   */
  afterReply(subscription: Subscription, head: StreamPosition, since: StreamPosition | undefined): StreamPosition {
    const start = subscription.start(head, since);
    subscription.follow(this.sourceOf(subscription, start), true);
    return start.recovering.position;
  }

  /** Brings a live subscription up to date from history. */
  catchUp(subscription: Subscription): void {
    const recovering = subscription.catchUp();
    if (recovering) subscription.follow(this.sourceOf(subscription, { recovering }), false);
  }

  /** The channel stands at `head`, and publications up to there may be missing. */
  onMissed(channel: string, head: StreamPosition): void {
    for (const subscription of this.index.subscribersOf(channel).values())
      if (subscription.lacks(head)) this.catchUp(subscription);
  }

  /** Publications of any channel may be missing. */
  onGap(): void {
    void this.checking.run();
  }

  private async check(channel: string): Promise<void> {
    const wanted = (): boolean => this.index.subscribersOf(channel).size > 0;
    try {
      const head = await readWhenAvailable(wanted, () => this.broker.position(channel));
      if (head) this.onMissed(channel, head);
    } catch (error) {
      this.logger.error(`the position of a channel could not be read after a gap: ${String(error)}`);
    }
  }

  private sourceOf(subscription: Subscription, start: Start): FrameSource {
    const { channel, connection } = subscription;
    const wanted = (): boolean => connection.isOpen && subscription.isReading(start.recovering);
    const read = async (since: StreamPosition): Promise<HistoryResult | undefined> => {
      const page = await readWhenAvailable(wanted, () => this.broker.history({ channel, since, limit: PAGE_SIZE }));
      // Asked after the page was read: if the task still belongs to that user, it did so when the page was read.
      if (!page || (await this.isGranted(subscription, wanted))) return page;
      if (wanted()) await subscription.revoke();
      return undefined;
    };
    return recover({ subscription, ...start, read, onResult: (result) => this.metrics.recoveries.add(result) });
  }

  /** Secure mode: whether a task still belongs to the user for whom the subscription was granted. */
  private async isGranted({ channel, ownerId }: Subscription, wanted: () => boolean): Promise<boolean> {
    const parsed = parseChannel(channel);
    if (ownerId === undefined || parsed.kind !== 'task') return true;
    const task = await readWhenAvailable(wanted, () => this.tasks.get(parsed.taskId));
    return task?.userId === ownerId;
  }
}
