import { totalsOf } from '../../src/notification/metrics/totals.js';
import { NotificationMetrics } from '../../src/notification/notification.metrics.js';

const observed = (pending: () => Promise<number>, onQuality: () => unknown = () => undefined): NotificationMetrics => {
  const metrics = new NotificationMetrics();
  metrics.observe({
    connections: () => 3,
    connectionLimit: 10,
    running: () => true,
    quality: () => {
      onQuality();
      return { queueBytes: 70, longestQueueBytes: 50, roundTripSeconds: 0.02, spreadSeconds: undefined };
    },
    pending: async () => ({ all: await pending(), younger: [1, 1, 4, 5] }),
    nodes: async () => 1,
  });
  return metrics;
};

describe('the metrics', () => {
  it('the gauges are read at each scrape', async () => {
    let pending = 5;
    const metrics = observed(async () => pending);
    expect(await metrics.registry.metrics()).toContain('\npending_callbacks 5\n');
    pending = 6;
    const text = await metrics.registry.metrics();
    for (const line of ['pending_callbacks 6', 'websocket_connections 3', 'websocket_running 1'])
      expect(text).toContain(`\n${line}\n`);
  });

  it('go through the connections once per scrape', async () => {
    let readings = 0;
    const { registry } = observed(
      async () => 0,
      () => (readings += 1),
    );
    for (let scrape = 1; scrape <= 2; scrape += 1) {
      const text = await registry.metrics();
      for (const line of ['websocket_send_queue_bytes 70', 'websocket_round_trip_mean_seconds 0.02'])
        expect(text).toContain(`\n${line}\n`);
      expect(text).not.toContain('\nwebsocket_round_trip_spread_seconds ');
      expect(readings).toBe(scrape);
    }
  });

  it('show all the rest while the engine cannot be read', async () => {
    const text = await observed(() => Promise.reject(new Error('away'))).registry.metrics();
    expect(text).toContain('\nwebsocket_connections 3\n');
    expect(text).toMatch(/\npending_callbacks nan\n/i);
    expect(text).toContain('\nengine_up 0\n');
    expect(text).not.toContain('confirmations_pending{');
  });

  it('have the old health object’s totals, an average of seconds among them', async () => {
    const metrics = observed(async () => 0);
    expect(await totalsOf(metrics.registry)).toEqual({
      connections: 3,
      total_connections: 0,
      failed_connections: 0,
      messages_sent: 0,
      messages_failed: 0,
      avg_response_time: 0,
    });
    metrics.connectionsTotal.inc();
    metrics.messagesSent.inc(7);
    for (const decidedAt of [1000, 3000])
      metrics.decided({ createdAt: 0, prompt: {}, decision: { outcome: 'answered', via: 'rest', decidedAt } }, false);
    expect(await totalsOf(metrics.registry)).toMatchObject({ total_connections: 1, messages_sent: 7, avg_response_time: 2 });
  });

  it('counts in each of two modules of one process what is its own', async () => {
    const [one, other] = [observed(async () => 0), observed(async () => 0)];
    one.connectionsTotal.inc();
    expect((await totalsOf(other.registry)).total_connections).toBe(0);
  });
});
