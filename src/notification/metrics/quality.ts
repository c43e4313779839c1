/** How well the connections of a node work, read from the metrics. */
import type { Registry } from 'prom-client';

export interface ConnectionQuality {
  /** Means over the live connections, in seconds; absent before one was measured. */
  roundTripSeconds?: number;
  roundTripSpreadSeconds?: number;
  /** Bytes that wait to be sent in all connections. */
  queueBytes: number;
  /** How often users have come back within a minute after a connection had ended, since the start. */
  reconnects: number;
}

/** @param registry of one process, or the aggregate of several processes */
export async function qualityOf(registry: Registry): Promise<ConnectionQuality> {
  const valueOf = async (name: string): Promise<number | undefined> =>
    (await registry.getSingleMetric(name)?.get())?.values[0]?.value;
  return {
    roundTripSeconds: await valueOf('websocket_round_trip_mean_seconds'),
    roundTripSpreadSeconds: await valueOf('websocket_round_trip_spread_seconds'),
    queueBytes: (await valueOf('websocket_send_queue_bytes')) ?? 0,
    reconnects: (await valueOf('websocket_reconnects_total')) ?? 0,
  };
}
