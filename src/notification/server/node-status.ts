/** This node's state, with that of the cluster, and whether the node is ready. */
import { Inject, Injectable } from '@nestjs/common';
import { ListeningAddress } from '../access/listening-address.js';
import { Hub } from '../connection/hub.js';
import { Engine, type ClusterStatus } from '../engine/engine.js';
import { qualityOf, type ConnectionQuality } from '../metrics/quality.js';
import { ServiceClosedError } from '../notification.errors.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ResolvedOptions } from '../notification.options.js';
import { ServerPhase } from './server-phase.js';

/** What `getStatus()` returns. */
export interface NotificationStatus {
  /** Whether this node takes connections. */
  running: boolean;
  host: string;
  port: number;
  /** Connections of this node, over all its workers. */
  activeConnections: number;
  pendingCallbacks: number;
  unacknowledgedMessages: number;
  /** Of this node's connections, over all its workers. */
  quality: ConnectionQuality;
  cluster: ClusterStatus;
}

@Injectable()
export class NodeStatus {
  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
    private readonly phase: ServerPhase,
    private readonly listening: ListeningAddress,
    private readonly metrics: NotificationMetrics,
  ) {}

  /** @throws EngineUnavailableError */
  async read(): Promise<NotificationStatus> {
    const { workerGroup, host, port } = this.options;
    const [counts, cluster, activeConnections, registry] = await Promise.all([
      this.engine.counts(),
      this.engine.cluster(this.hub.size),
      workerGroup?.countConnections() ?? this.hub.size,
      workerGroup?.readMetrics() ?? this.metrics.registry,
    ]);
    return {
      running: this.phase.isAccepting,
      host,
      port,
      ...this.listening.current,
      activeConnections,
      pendingCallbacks: counts.pendingConfirmations,
      unacknowledgedMessages: counts.unacknowledgedMessages,
      quality: await qualityOf(registry),
      cluster,
    };
  }

  /** @throws ServiceClosedError while the node takes no connections, EngineUnavailableError */
  async checkReady(): Promise<void> {
    if (!this.phase.isAccepting) throw new ServiceClosedError();
    await this.engine.ping();
  }
}
