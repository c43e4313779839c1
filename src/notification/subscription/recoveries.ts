/**
 * Brings subscriptions to where their channels are: after `subscribe`, and whenever a standing one may have missed
 * something. One recovery of a channel runs on a connection at a time; a newer one replaces it.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { parseChannel } from '../../protocol/channels.js';
import type { StreamPosition } from '../../protocol/messages.js';
import { Engine, type HistoryResult } from '../engine/engine.js';
import type { Connection } from '../connection/connection.js';
import { Hub, recoveryOf } from '../connection/hub.js';
import { recover } from './recovery.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import type { FrameSource } from '../connection/frame-source.js';
import type { Start, Subscription } from '../connection/subscription.js';

const PAGE_SIZE = 100;
/** How many channels' positions are read at once after a gap. */
const READERS = 16;

@Injectable()
export class Recoveries {
  private readonly logger = new Logger(Recoveries.name);
  private checking: Promise<void> | undefined;
  private checkAgain = false;

  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
  ) {}

  /**
   * Starts after the next reply.
   * @param head where the channel stood at some time since the subscription began
   * @returns the position that the reply gives: the client has everything up to there, and gets what follows
   */
  afterReply(
    connection: Connection,
    channel: string,
    subscription: Subscription,
    head: StreamPosition,
    since: StreamPosition | undefined,
  ): StreamPosition {
    const start = subscription.start(head, since);
    connection.followReplyWith(recoveryOf(channel), this.sourceOf(connection, channel, subscription, start));
    return start.recovering.position;
  }

  /** Catches a live subscription up from history. */
  catchUp(connection: Connection, channel: string): void {
    const subscription = connection.subscriptions.get(channel);
    const recovering = subscription?.catchUp();
    if (subscription && recovering)
      connection.follow(recoveryOf(channel), this.sourceOf(connection, channel, subscription, { recovering }));
  }

  /** The channel stands at `head`; something up to there may not have come. */
  onMissed(channel: string, head: StreamPosition): void {
    for (const connection of this.hub.subscribersOf(channel))
      if (connection.subscriptions.get(channel)?.lacks(head)) this.catchUp(connection, channel);
  }

  /** Something may not have come, on any channel. */
  onGap(): void {
    this.checkAgain = true;
    this.checking ??= this.checkAll().finally(() => {
      this.checking = undefined;
    });
  }

  private async checkAll(): Promise<void> {
    while (this.checkAgain) {
      this.checkAgain = false;
      const channels = this.hub.subscribedChannels.values();
      const readOn = async (): Promise<void> => {
        for (const channel of channels) await this.check(channel);
      };
      await Promise.all(Array.from({ length: READERS }, readOn));
    }
  }

  private async check(channel: string): Promise<void> {
    const wanted = (): boolean => this.hub.subscribersOf(channel).size > 0;
    try {
      const head = await readWhenAvailable(wanted, () => this.engine.position(channel));
      if (head) this.onMissed(channel, head);
    } catch (error) {
      this.logger.error(`the position of a channel could not be read after a gap: ${String(error)}`);
    }
  }

  private sourceOf(connection: Connection, channel: string, subscription: Subscription, start: Start): FrameSource {
    const wanted = (): boolean => connection.isOpen && subscription.isReading(start.recovering);
    const read = async (since: StreamPosition): Promise<HistoryResult | undefined> => {
      const page = await readWhenAvailable(wanted, () => this.engine.history({ channel, since, limit: PAGE_SIZE }));
      // After the page: a task that still is this user's has been since it was read.
      if (!page || (await this.isGranted(channel, subscription, wanted))) return page;
      if (wanted()) this.hub.revoke(connection, channel);
      return undefined;
    };
    return recover({ channel, subscription, ...start, read });
  }

  /** Secure mode: whether a task is still that user's as whose it may be heard. */
  private async isGranted(channel: string, { ownerId }: Subscription, wanted: () => boolean): Promise<boolean> {
    const parsed = parseChannel(channel);
    if (ownerId === undefined || parsed.kind !== 'task') return true;
    const task = await readWhenAvailable(wanted, () => this.engine.getTask(parsed.taskId));
    return task?.userId === ownerId;
  }
}
