/** Registers the gauges of this node: what the hub, the engine and the server's phase show at each scrape. */
import { Inject, Injectable } from '@nestjs/common';
import { ServerPhase } from './access/server-phase.js';
import { Hub } from './connection/hub.js';
import { Engine } from './engine/engine.js';
import { NotificationMetrics } from './notification.metrics.js';
import { ResolvedOptions } from './notification.options.js';

@Injectable()
export class NotificationReadings {
  constructor(
    @Inject(ResolvedOptions) { maxConnections }: ResolvedOptions,
    @Inject(Engine) engine: Engine,
    hub: Hub,
    phase: ServerPhase,
    metrics: NotificationMetrics,
  ) {
    metrics.observe({
      connections: () => hub.size,
      connectionLimit: maxConnections,
      running: () => phase.isAccepting,
      quality: () => qualityOf(hub),
      pending: async (agesMs) => {
        const { pendingConfirmations, younger = [] } = await engine.counts(agesMs);
        return { all: pendingConfirmations, younger };
      },
      nodes: async () => (await engine.cluster(hub.size)).nodes,
    });
  }
}

function qualityOf(hub: Hub): { queueBytes: number; longestQueueBytes: number; spreadSeconds: number | undefined } {
  let [queueBytes, longestQueueBytes, spreadMs, measured] = [0, 0, 0, 0];
  for (const connection of hub.connections) {
    const { waitingBytes, roundTrips } = connection;
    queueBytes += waitingBytes;
    longestQueueBytes = Math.max(longestQueueBytes, waitingBytes);
    if (roundTrips.spreadMs === undefined) continue;
    spreadMs += roundTrips.spreadMs;
    measured += 1;
  }
  return { queueBytes, longestQueueBytes, spreadSeconds: measured === 0 ? undefined : spreadMs / measured / 1000 };
}
