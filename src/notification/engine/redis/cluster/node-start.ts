/**
 * How a node joins the others.
 *
 *  1. It listens first, then applies the deadlines that passed, then notes where each stream ends. Later events are emitted as they
 *     come. Earlier ones that no node may have emitted are the replay's (E5).
 *  2. The nodes share one position per stream, up to which events were emitted. It moves on only with nodes whose listeners are in
 *     place.
 */
import { BROADCAST_CHANNEL } from '../../../../protocol/channels.js';
import { ConfigurationError } from '../../../notification.errors.js';
import { delay, monotonicMs } from '../../../pacing/time-source.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import { LAYOUT } from '../scripts/node.js';
import type { ChannelSubscriptions } from './channel-subscriptions.js';
import type { EventStreams } from './event-streams.js';
import type { NodeChannel } from './node-channel.js';
import type { NodeRegistry } from './node-registry.js';
import type { SweepTimer } from './sweep-timer.js';
import type { Sweep } from './sweep.js';

/** How long the start may spend on deadlines that passed while nothing ran. */
const BUDGET_MS = 1000;
/** How long a start waits to see that a node with another retention has gone. */
const AGREE_MS = 2000;
const AGREE_ATTEMPTS = 20;

export interface NodeStartParts {
  readonly partitions: readonly number[];
  readonly retentionMs: number;
  readonly runner: ScriptRunner;
  readonly nodes: NodeRegistry;
  readonly channel: NodeChannel;
  readonly subscriptions: ChannelSubscriptions;
  readonly streams: EventStreams;
  readonly sweep: Sweep;
  readonly timer: SweepTimer;
}

export class NodeStart {
  /** By partition: the order after which the replay begins. */
  private readonly replayFrom = new Map<number, number>();

  constructor(private readonly parts: NodeStartParts) {}

  /**
   * @param onListening is called once nothing that comes later is missed
   * @throws ConfigurationError when the data is laid out in another way, or other nodes keep it for another time
   */
  async run(onListening: () => void): Promise<void> {
    const { partitions, nodes, channel, subscriptions } = this.parts;
    await this.checkLayout();
    await nodes.renewLease(0, 0);
    await this.agreeOnRetention();
    const phase = nodes.isAlone ? 'alone' : 'beside';
    await Promise.all([
      ...partitions.map((partition) => channel.listen(partition, nodes.id)),
      subscriptions.add(BROADCAST_CHANNEL),
    ]);
    onListening();
    const giveUpAt = monotonicMs() + BUDGET_MS;
    await Promise.all(partitions.map((partition) => this.begin(partition, phase, giveUpAt)));
  }

  /** Emits the decisions that no node may have emitted (E5). */
  async replay(): Promise<void> {
    const { partitions, streams } = this.parts;
    await Promise.all(partitions.map((partition) => streams.replay(partition, this.replayFrom.get(partition) ?? 0)));
  }

  private async checkLayout(): Promise<void> {
    const { runner, partitions } = this.parts;
    const stored = await runner.runForNodes(LAYOUT, { partitions: partitions.length });
    if (stored !== partitions.length)
      throw new ConfigurationError(`the data in this Redis is divided into ${stored} partitions, not ${partitions.length}`);
  }

  /** A killed node is waited for only until it is seen that it does not run. @throws ConfigurationError */
  private async agreeOnRetention(): Promise<void> {
    const { nodes, retentionMs } = this.parts;
    for (let attempt = 0; nodes.otherRetentionMs !== undefined && attempt < AGREE_ATTEMPTS; attempt += 1) {
      await delay(AGREE_MS / AGREE_ATTEMPTS);
      await nodes.renewLease(0, 0);
    }
    const others = nodes.otherRetentionMs;
    if (others === undefined) return;
    await nodes.endLease();
    throw new ConfigurationError(
      `WEBSOCKET_RETENTION (option retentionMs) is ${retentionMs / 1000} s here and ${others / 1000} s on a running node: ` +
        'it must be the same on all nodes; stop all of them to change it',
    );
  }

  private async begin(partition: number, phase: 'alone' | 'beside', giveUpAt: number): Promise<void> {
    const { sweep, streams, timer } = this.parts;
    let swept = await sweep.run(partition, phase);
    while (swept.more && monotonicMs() < giveUpAt) swept = await sweep.run(partition, 'starting');
    this.replayFrom.set(partition, swept.emittedUpTo);
    streams.of(partition).begin(swept.newestEvent);
    if (swept.nextAt !== undefined) timer.expect(partition, swept.nextAt);
  }
}
