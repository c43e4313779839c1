/**
 * Heartbeats that REST leases. The calls of a worker reach any node; the node that was called last keeps the lease:
 *
 *  1. A node that begins, renews or stops a heartbeat takes the task's lease. Every node whose own take is older ends its
 *     heartbeat, also when two nodes take the lease at the same time.
 *  2. If another node misses that, two nodes send heartbeats until the next renewal or the end of the lease; nothing else
 *     depends on it.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { printable } from '../access/printable.js';
import { Broker } from '../engine/broker.js';
import { Heartbeats } from './heartbeats.js';
import { QuietLog } from '../pacing/quiet-log.js';

@Injectable()
export class HeartbeatLeases {
  private readonly logger = new Logger('Heartbeats');
  private readonly failures = new QuietLog((message) => this.logger.warn(message));

  constructor(
    private readonly heartbeats: Heartbeats,
    @Inject(Broker) private readonly broker: Pick<Broker, 'takeLease'>,
  ) {}

  /** Begins or renews a heartbeat that ends by itself after `ttlMs`. */
  async lease(userId: string, taskId: string, intervalMs: number, ttlMs: number): Promise<void> {
    const taken = this.heartbeats.lease(userId, taskId, intervalMs, ttlMs);
    try {
      taken(await this.broker.takeLease(taskId));
    } catch (error) {
      taken(0);
      this.failures.log('lease', `other nodes may not know of the heartbeat of task ${printable(taskId)}: ${String(error)}`);
    }
  }

  /** Ends the task's leases on every node, and all of its heartbeats on this one. @throws EngineUnavailableError */
  async stop(taskId: string): Promise<void> {
    this.heartbeats.stopTask(taskId);
    await this.broker.takeLease(taskId);
  }
}
