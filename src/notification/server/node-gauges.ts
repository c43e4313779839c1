/** Gives this node's gauges (`metrics/gauges.ts`) their values: from the hub, the engine and the server's phase. */
import { Inject, Injectable } from '@nestjs/common';
import { ServerPhase } from './server-phase.js';
import { Hub } from '../connection/hub.js';
import { Engine } from '../engine/engine.js';
import type { Quality } from '../metrics/gauges.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ResolvedOptions } from '../notification.options.js';

@Injectable()
export class NodeGauges {
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

function qualityOf(hub: Hub): Quality {
  const measured = [...hub.connections].map(({ roundTrips }) => roundTrips);
  let [queueBytes, longestQueueBytes] = [0, 0];
  for (const { waitingBytes } of hub.connections) {
    queueBytes += waitingBytes;
    longestQueueBytes = Math.max(longestQueueBytes, waitingBytes);
  }
  return {
    queueBytes,
    longestQueueBytes,
    roundTripSeconds: meanSeconds(measured.map(({ lastMs }) => lastMs)),
    spreadSeconds: meanSeconds(measured.map(({ spreadMs }) => spreadMs)),
  };
}

/** @param times milliseconds, or `undefined` for what has not been measured */
function meanSeconds(times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, time) => sum + time, 0) / known.length / 1000;
}
