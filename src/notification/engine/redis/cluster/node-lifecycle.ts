/**
 * A node's life: it starts, looks at every partition again and again, heals after Redis was away, and leaves.
 *
 *  1. Start: listen first, then apply the deadlines that passed, then note where each stream ends. What comes later is
 *     told as it comes; what came before and may not have been told is the replay's (E5).
 *  2. The streams' reader position (`told`) is shared by all nodes, and moves on only with nodes whose listeners are in
 *     place.
 *  3. With WAIT for replicas no decision is told, by whichever road, before they have it.
 *  4. After a connection or a subscription was away: subscriptions, lists and streams first, `onGap` last, so that whoever re-reads then
 *     finds Redis there. It is tried until it succeeds.
 */
import { BROADCAST_CHANNEL, parseChannel } from '../../../../protocol/channels.js';
import { ConfigurationError, EngineUnavailableError } from '../../../notification.errors.js';
import type { Context } from '../context.js';
import { Feed, eventOf, type FeedEvent } from './event-stream.js';
import { PUBSUB, type Keys } from '../keys.js';
import type { RedisConnections } from '../connection/redis-connections.js';
import type { RedisBroker } from '../stores/messages.js';
import type { RedisEvents } from '../stores/webhook-events.js';
import type { RedisPresence } from '../stores/presences.js';
import type { PartitionClock } from './partition-clock.js';
import { Pulse } from './pubsub-probe.js';
import type { RedisConfirmations } from '../stores/confirmations.js';
import { groups, list, maybe, text, toConfirmation } from '../reply-decoder.js';
import { EVENTS_AFTER, LAYOUT, TICK } from '../scripts/node.js';
import type { RedisTasks } from '../stores/tasks.js';
import type { Emitter } from '../../emitter.js';
import { EVERYTHING } from '../../broker.js';
import { clearTimeout, delay, monotonicMs, setTimeout } from '../../../pacing/time-source.js';

const STEP_ROWS = 500;
const PAGE = 200;
/** How long the start may spend on deadlines that passed while nothing ran. */
const START_BUDGET_MS = 1000;
const HEAL_AGAIN_MS = 200;
/** How long a start waits to see that a node with another retention has gone. */
const AGREE_MS = 2000;
const AGREE_BEATS = 20;
/** Pub/sub that was sound at a moment may have lost what came so long before. */
const MARGIN_MS = 2000;
/** In so many beats every partition has sent this node a sign of life by pub/sub: before a silent connection counts as dead. */
const SIGNAL_BEATS = 2;
/** How often a node says again what it serves and who is connected to it, in beats. */
const RESTORE_BEATS = 3600;

export interface Parts {
  confirmations: RedisConfirmations;
  tasks: RedisTasks;
  broker: RedisBroker;
  events: RedisEvents;
  presence: RedisPresence;
}

export class Life {
  readonly feeds: Feed[];
  /** As the status was last asked for; unknown before. */
  connections: number | undefined;
  private begun = false;
  private leaving = false;
  private replayed = false;
  private readonly replayFrom: string[] = [];
  private readonly pulse = new Pulse();
  private beats = 0;
  private healing: Promise<void> | undefined;
  private healAgain: NodeJS.Timeout | undefined;
  private ailing = false;
  /** How often there was one to heal. */
  private reasons = 0;
  /** By Redis' clock: this node looked, and nothing was known to be broken. */
  private soundAt = 0;
  /** By partition: a jump of the server's clock that the next tick reports. */
  private readonly corrections = new Map<number, string>();

  constructor(
    private readonly link: RedisConnections,
    private readonly keys: Keys,
    private readonly context: Context,
    private readonly parts: Parts,
    private readonly emitter: Emitter,
  ) {
    this.feeds = context.partitions.all.map((partition) => this.feedOf(partition));
  }

  /** @throws ConfigurationError when the data is laid out in another way, or other nodes keep it for another time */
  async start(): Promise<void> {
    const { partitions, nodes, watches } = this.context;
    const laidOut = text(await this.link.run(LAYOUT, this.keys.nodes, partitions.count));
    if (Number(laidOut) !== partitions.count)
      throw new ConfigurationError(`the data in this Redis is divided into ${laidOut} partitions, not ${partitions.count}`);
    await nodes.beat(0, 0);
    await this.agree();
    const start = nodes.isAlone ? 'alone' : 'beside';
    await Promise.all([...partitions.all.map((partition) => this.listen(partition)), watches.add(BROADCAST_CHANNEL)]);
    const giveUpAt = monotonicMs() + START_BUDGET_MS;
    await Promise.all(partitions.all.map((partition) => this.begin(partition, start, giveUpAt)));
    this.begun = true;
  }

  /** A node that was killed is not waited for longer than it takes to see that it does not run. @throws ConfigurationError */
  private async agree(): Promise<void> {
    const { nodes, settings } = this.context;
    for (let beats = 0; nodes.otherRetentionMs !== undefined && beats < AGREE_BEATS; beats += 1) {
      await delay(AGREE_MS / AGREE_BEATS);
      await nodes.beat(0, 0);
    }
    const others = nodes.otherRetentionMs;
    if (others === undefined) return;
    await nodes.beat(0, 0, true);
    throw new ConfigurationError(
      `WEBSOCKET_RETENTION (option retentionMs) is ${settings.retentionMs / 1000} s here and ${others / 1000} s on a running node: ` +
        'it must be the same on all nodes; stop all of them to change it',
    );
  }

  /** Emits what may not have been told, and then looks again and again. */
  async replay(): Promise<void> {
    const { partitions, deliveries, ticker } = this.context;
    await Promise.all(
      partitions.all.map(async (partition) => {
        const to = this.feeds[partition]?.position ?? 0;
        for (let from = this.replayFrom[partition] ?? '0'; Number(from) < to;) {
          const page = list(await this.context.run(EVENTS_AFTER, partition, from, PAGE));
          for (const [order, kind, payload] of groups(page, 3)) {
            from = text(order);
            const event = Number(from) <= to ? eventOf(kind, payload) : undefined;
            if (event?.kind === 'decided') deliveries.decided(event.confirmation);
          }
          if (page.length < PAGE * 3) break;
        }
      }),
    );
    this.replayed = true;
    ticker.start();
    await ticker.round();
  }

  /** Leaves: its connections count no more, and what it told is noted. */
  async leave(): Promise<void> {
    this.leaving = true;
    clearTimeout(this.healAgain);
    const { ticker, nodes, partitions } = this.context;
    await ticker.stop();
    await this.healing;
    try {
      await Promise.all(partitions.all.map((partition) => this.look(partition)));
      await nodes.beat(0, 0, true);
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      this.emitter.report('leaving', error);
    }
  }

  /** A connection is there again, or something may have been missed. */
  heal(): void {
    this.reasons += 1;
    this.startMending();
  }

  async beat(): Promise<void> {
    const { nodes, watches } = this.context;
    const { presence } = this.parts;
    try {
      const anonymous = watches.count(EVERYTHING);
      const lapsed = await nodes.beat(this.connections ?? presence.size + anonymous, anonymous);
      this.beats += 1;
      const restores = lapsed || this.beats % RESTORE_BEATS === 0;
      await presence.farewells();
      if (restores) await presence.restore();
      await watches.refresh(restores);
    } catch (error) {
      this.ailing = true;
      throw error;
    }
    if (this.ailing) this.startMending();
  }

  /** Looks at a partition: when something is due there and whether there is more already, what is old, where its stream ends. */
  async look(
    partition: number,
    start: 'alone' | 'beside' | '' = '',
  ): Promise<{ next: number | undefined; more: boolean; head: number; told: string }> {
    const { nodes, reading, settings, deliveries } = this.context;
    const position = this.feeds[partition]?.position ?? 0;
    const signals = (partition + this.beats) % SIGNAL_BEATS === 0;
    const note = this.replayed ? String(position) : '';
    const number = signals ? this.pulse.next() : undefined;
    const clock = this.clockOf(partition);
    const correction = this.corrections.get(partition) ?? '';
    const sentAt = monotonicMs();
    const reply = list(
      await this.context.run(
        TICK,
        partition,
        nodes.id,
        settings.retentionMs,
        STEP_ROWS,
        start,
        note,
        number ?? '',
        settings.webhookEvents?.map((event) => `${event} `).join('') ?? '',
        this.readUntil(clock),
        (reading?.servingSince ?? 0) < Infinity ? '1' : '',
        correction,
      ),
    );
    const receivedAt = monotonicMs();
    const [now, head, told] = [Number(text(reply[0])), Number(text(reply[1])), text(reply[2])];
    const next = maybe(reply[3]);
    for (const record of list(reply[5])) deliveries.expiring(toConfirmation(record));
    for (const [taskId, lastUse] of groups(reply[6], 2)) await this.parts.tasks.forget(text(taskId), text(lastUse));
    for (const taskId of list(reply[7])) await this.parts.tasks.driveOn(text(taskId));
    if (maybe(reply[8]) === '1') this.parts.events.ripen(partition);
    this.parts.events.dropped(Number(text(reply[9])));
    if (this.begun) this.feeds[partition]?.onHead(head, position);
    if (!this.ailing) this.soundAt = Math.max(this.soundAt, now);
    this.missed(this.pulse.onLook(partition, { number, at: now, life: text(reply[10]) }));
    const jump = clock.sample(now, sentAt, receivedAt);
    if (jump === 0 || correction !== '') {
      this.corrections.delete(partition);
      // After a correction the partition's clock is right, by whatever it goes.
      if (jump !== 0) clock.reset(now, sentAt, receivedAt);
    } else {
      this.corrections.set(partition, `${text(reply[11])} ${jump}`);
      return { next: now, more: true, head, told };
    }
    const more = reply[4] === '1';
    return { next: more ? now : next === undefined ? undefined : Number(next), more, head, told };
  }

  /** As a tick says it. */
  private readUntil(clock: PartitionClock): string {
    const { reading } = this.context;
    if (!reading) return '';
    if (this.leaving) return 'left';
    return String(clock.at(reading.readUntil) ?? 'now');
  }

  private clockOf(partition: number): PartitionClock {
    const clock = this.context.clocks[partition];
    if (!clock) throw new RangeError(`there is no partition ${partition}`);
    return clock;
  }

  /** Something may have been missed since then. */
  private missed(since: number | undefined): void {
    if (since === undefined || !this.replayed) return;
    this.soundAt = Math.min(this.soundAt, since);
    this.heal();
  }

  private async begin(partition: number, start: 'alone' | 'beside', giveUpAt: number): Promise<void> {
    let seen = await this.look(partition, start);
    while (seen.more && monotonicMs() < giveUpAt) seen = await this.look(partition);
    this.replayFrom[partition] = seen.told;
    this.feeds[partition]?.begin(seen.head);
    if (seen.next !== undefined) this.context.ticker.expect(partition, seen.next);
  }

  private async listen(partition: number): Promise<void> {
    const root = this.keys.root(partition);
    const tell = (message: string): void => this.guarded(() => this.feeds[partition]?.onMessage(list(JSON.parse(message))));
    let before = Promise.resolve();
    // What replicas have not got counts for nothing yet; one that is not told for that reason is found by reading.
    const tellReplicated = (message: string): void => {
      const replicated = Promise.allSettled([this.link.replicated(root)]);
      before = before.then(async () => {
        const [{ status }] = await replicated;
        if (status === 'fulfilled') tell(message);
      });
    };
    const feed = this.link.waitsForReplicas ? tellReplicated : tell;
    const own = (message: string): void =>
      this.guarded(() => {
        const [kind, subject] = list(JSON.parse(message));
        if (kind === 'evicted') this.parts.presence.evicted(text(subject));
        else if (kind === 'read') this.readOn(partition, Number(text(subject)));
        else if (kind === 'tick') this.missed(this.pulse.onTick(partition, Number(text(subject))));
        else this.context.deliveries.onMessage(message);
      });
    await Promise.all([
      this.link.subscribe([PUBSUB.feed(root)], feed),
      this.link.subscribe([PUBSUB.node(root, this.context.nodes.id)], own),
    ]);
  }

  /** Another node waits for this one to have read up to a deadline. */
  private readOn(partition: number, deadline: number): void {
    void this.context.ticker.lookAfter(partition, deadline);
  }

  private feedOf(partition: number): Feed {
    return new Feed({
      after: (order, limit) => this.context.run(EVENTS_AFTER, partition, order, limit),
      tell: (event) => this.tell(event, partition),
      onLost: () => this.heal(),
      onError: (error) => this.emitter.report('reading decisions', error),
    });
  }

  private tell(event: FeedEvent, partition: number): void {
    switch (event.kind) {
      case 'decided':
        this.context.deliveries.decided(event.confirmation);
        return this.parts.events.onEvent(partition);
      case 'task':
        this.emitter.emit((handler) => handler.onTask(event.task));
        return this.parts.events.onEvent(partition);
      case 'revoked':
        return this.emitter.emit((handler) => handler.onRevoked(event.userId));
      case 'review':
        return this.emitter.emit((handler) => handler.onReview(event.userId));
      default:
        return event satisfies never;
    }
  }

  private startMending(): void {
    if (!this.begun || this.leaving) return;
    this.ailing = true;
    this.healing ??= this.mend().finally(() => {
      this.healing = undefined;
    });
  }

  private async mend(): Promise<void> {
    const { reasons } = this;
    try {
      const since = this.soundAt - MARGIN_MS;
      const { ticker, nodes, watches } = this.context;
      await nodes.beat(this.connections ?? this.parts.presence.size, watches.count(EVERYTHING));
      await watches.refresh(true);
      await this.parts.presence.restore();
      for (const partition of this.context.partitions.all) await this.look(partition);
      await this.tellMissed(since);
      // What came up meanwhile may be later than what was read.
      this.ailing = reasons !== this.reasons;
      this.emitter.emit((handler) => handler.onGap());
      void ticker.round();
    } catch (error) {
      this.emitter.report('catching up with Redis', error);
      if (!this.leaving) this.healAgain = setTimeout(() => this.startMending(), HEAL_AGAIN_MS).unref();
    }
  }

  /** Prompts and messages of whom this node serves, from a moment on. Told they are once. */
  private async tellMissed(since: number): Promise<void> {
    const { deliveries, watches } = this.context;
    const { confirmations, broker } = this.parts;
    await deliveries.fill();
    for (const channel of watches.names) {
      const parsed = parseChannel(channel);
      if (channel === EVERYTHING) for (const prompt of await confirmations.openedAfter(since)) deliveries.opened(prompt);
      if (parsed.kind !== 'user') continue;
      for (const prompt of await confirmations.openedAfter(since, parsed.userId)) deliveries.opened(prompt);
      let start: string | undefined = String(since * 1000);
      while (start !== undefined) {
        const page = await broker.unacknowledgedFrom(start, parsed.userId, PAGE);
        for (const message of page.items) deliveries.message(message);
        start = page.cursor;
      }
    }
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.emitter.report('reading a message of Redis', error);
    }
  }
}
