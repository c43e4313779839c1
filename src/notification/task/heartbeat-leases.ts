/**
 * Heartbeats that REST leases. A worker's calls reach any node; the node that was asked last keeps the lease:
 *
 *  1. While a node keeps a lease it listens on a channel of the task's own. Whoever is asked to begin, renew or stop one
 *     says so there, and every other node lets go of its own.
 *  2. When that is not heard, two nodes beat until the next renewal or the end of the lease; no more depends on it.
 */
import { randomUUID } from 'node:crypto';
import { LEASE_CHANNEL_PREFIX } from '../../protocol/channels.js';
import type { Broker } from '../engine/broker.js';
import type { Heartbeats } from './heartbeats.js';
import { printable } from '../access/printable.js';

export class HeartbeatLeases {
  private readonly node = randomUUID();

  constructor(
    private readonly heartbeats: Heartbeats,
    private readonly broker: Pick<Broker, 'watch' | 'unwatch' | 'publish'>,
    private readonly warn: (message: string) => void,
  ) {}

  /** Begins or renews a heartbeat that ends by itself after `ttlMs`. */
  async lease(userId: string, taskId: string, intervalMs: number, ttlMs: number): Promise<void> {
    const channel = LEASE_CHANNEL_PREFIX + taskId;
    const isNew = this.heartbeats.lease(userId, taskId, intervalMs, ttlMs, () => {
      // Also after a `watch` that failed: it counts, and is tried again until it is taken back.
      void this.said(taskId, this.broker.unwatch(channel));
    });
    if (isNew) await this.said(taskId, this.broker.watch(channel));
    await this.said(taskId, this.tell(channel));
  }

  /** Ends the task's leases on every node, and what else beats for it on this one. @throws EngineUnavailableError */
  async stop(taskId: string): Promise<void> {
    this.heartbeats.stopTask(taskId);
    await this.tell(LEASE_CHANNEL_PREFIX + taskId);
  }

  /** A node has said that it was asked. */
  heard(channel: string, text: string): void {
    const { node } = JSON.parse(text) as { node?: unknown };
    if (node !== this.node) this.heartbeats.stopLeases(channel.slice(LEASE_CHANNEL_PREFIX.length));
  }

  private async said(taskId: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.warn(`other nodes may not hear of the heartbeat of task ${printable(taskId)}: ${String(error)}`);
    }
  }

  private async tell(channel: string): Promise<void> {
    await this.broker.publish({ channel, message: { node: this.node }, recoverable: false });
  }
}
