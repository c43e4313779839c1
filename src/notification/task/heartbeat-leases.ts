/**
 * Heartbeats that REST leases. The calls of a worker reach any node; the node that was called last keeps the lease:
 *
 *  1. A node that begins, renews or stops a heartbeat takes the task's lease, and every other node ends its own.
 *  2. If another node misses that, two nodes send heartbeats until the next renewal or the end of the lease; nothing else
 *     depends on it.
 */
import { printable } from '../access/printable.js';
import type { Broker } from '../engine/broker.js';
import type { Heartbeats } from './heartbeats.js';

export class HeartbeatLeases {
  constructor(
    private readonly heartbeats: Heartbeats,
    private readonly broker: Pick<Broker, 'takeLease'>,
    private readonly warn: (message: string) => void,
  ) {}

  /** Begins or renews a heartbeat that ends by itself after `ttlMs`. */
  async lease(userId: string, taskId: string, intervalMs: number, ttlMs: number): Promise<void> {
    this.heartbeats.lease(userId, taskId, intervalMs, ttlMs);
    try {
      await this.broker.takeLease(taskId);
    } catch (error) {
      this.warn(`other nodes may not know of the heartbeat of task ${printable(taskId)}: ${String(error)}`);
    }
  }

  /** Ends the task's leases on every node, and all of its heartbeats on this one. @throws EngineUnavailableError */
  async stop(taskId: string): Promise<void> {
    this.heartbeats.stopTask(taskId);
    await this.broker.takeLease(taskId);
  }
}
