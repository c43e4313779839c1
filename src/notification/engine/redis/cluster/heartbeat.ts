/** This node's heartbeat: it renews the lease, and repeats what Redis may not know of this node. */
import { EVERYTHING } from '../../broker.js';
import type { Emitter } from '../../emitter.js';
import type { RedisPresence } from '../stores/presence.js';
import type { ChannelSubscriptions } from './channel-subscriptions.js';
import type { Gaps } from './gaps.js';
import type { NodeRegistry } from './node-registry.js';
import type { NodeReports } from './node-reports.js';

/** In heartbeats: how often a node reports everything again, about once an hour. */
const RESTORE_EVERY = 3600;

export class Heartbeat {
  /** The number of heartbeats that Redis has answered. */
  count = 0;
  /** This node's connections, as the status was last asked for; unknown before. */
  private connections: number | undefined;

  constructor(
    private readonly nodes: NodeRegistry,
    private readonly presence: RedisPresence,
    private readonly subscriptions: ChannelSubscriptions,
    private readonly gaps: Gaps,
    private readonly emitter: Emitter,
    private readonly reports: NodeReports,
  ) {}

  /** @throws EngineUnavailableError; then there is a gap */
  async beat(): Promise<void> {
    try {
      const leaseHadEnded = await this.renewLease();
      this.count += 1;
      if (leaseHadEnded) this.emitter.emit((handler) => handler.onLeaseEnded());
      const restores = leaseHadEnded || this.count % RESTORE_EVERY === 0;
      await this.presence.retryDisconnects();
      if (restores) await this.presence.restore();
      await this.subscriptions.refresh(restores);
      await this.reports.publish();
    } catch (error) {
      this.gaps.suspect();
      throw error;
    }
    this.gaps.recheck();
  }

  /** Renews the lease with a known number of connections. */
  async renewWith(connections: number): Promise<void> {
    this.connections = connections;
    await this.renewLease();
  }

  /** Reports everything again. */
  async restore(): Promise<void> {
    await this.renewLease();
    await this.subscriptions.refresh(true);
    await this.presence.restore();
  }

  private renewLease(): Promise<boolean> {
    const anonymous = this.subscriptions.count(EVERYTHING);
    return this.nodes.renewLease(this.connections ?? this.presence.size + anonymous, anonymous);
  }
}
