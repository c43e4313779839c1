/**
 * The channels that this node watches: counted, and subscribed to while the count is above zero. A subscription that fails stays
 * wanted and is repeated by `refresh`.
 */
import { SingleFlight } from '../../../pacing/single-flight.js';
import type { PubSub } from '../connection/pubsub.js';
import type { ChannelOrder } from './channel-order.js';
import type { WatcherReports } from './watcher-reports.js';

interface Watched {
  count: number;
  /** Whether messages on the channel reach this node. */
  live: boolean;
  /** Subscribes or unsubscribes, until that agrees with the count. */
  changing: SingleFlight;
}

export class ChannelSubscriptions {
  private readonly channels = new Map<string, Watched>();

  constructor(
    private readonly pubsub: PubSub,
    private readonly order: Pick<ChannelOrder, 'watch' | 'unwatch'>,
    private readonly reports: WatcherReports,
    private readonly onMessage: (message: string) => void,
  ) {}

  /** @throws EngineUnavailableError; the channel counts as watched all the same */
  async add(channel: string): Promise<void> {
    const watched = this.channels.get(channel) ?? this.begin(channel);
    watched.count += 1;
    this.reports.report(channel, watched.count);
    if (!watched.live || watched.changing.isRunning) await watched.changing.run();
  }

  async remove(channel: string): Promise<void> {
    const watched = this.channels.get(channel);
    if (!watched || watched.count === 0) return;
    watched.count -= 1;
    this.reports.report(channel, watched.count);
    if (watched.count === 0) await watched.changing.run();
  }

  /** Whether messages on the channel reach this node. */
  isLive(channel: string): boolean {
    return this.channels.get(channel)?.live === true;
  }

  count(channel: string): number {
    return this.channels.get(channel)?.count ?? 0;
  }

  /** The watched channels. */
  get names(): string[] {
    return [...this.channels].flatMap(([channel, { count }]) => (count > 0 ? [channel] : []));
  }

  /** Repeats what failed. @param everything whether all counts are reported again @throws EngineUnavailableError */
  async refresh(everything: boolean): Promise<void> {
    for (const [channel, watched] of this.channels) {
      if (everything) this.reports.report(channel, watched.count);
      if (watched.live !== watched.count > 0) await watched.changing.run();
    }
    await this.reports.refresh();
  }

  private begin(channel: string): Watched {
    const changing = new SingleFlight(() => this.bringAbout(channel, watched));
    const watched: Watched = { count: 0, live: false, changing };
    this.channels.set(channel, watched);
    return watched;
  }

  private async bringAbout(channel: string, watched: Watched): Promise<void> {
    while (watched.live !== watched.count > 0) {
      if (watched.live) {
        watched.live = false;
        this.order.unwatch(channel);
        await this.pubsub.unsubscribe(channel, this.onMessage);
      } else {
        await this.pubsub.subscribe(channel, this.onMessage);
        watched.live = true;
        this.order.watch(channel);
      }
    }
    if (watched.count === 0 && this.channels.get(channel) === watched) this.channels.delete(channel);
  }
}
