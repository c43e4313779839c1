/** Every query of deploy/grafana/dashboard.json has data in a real Prometheus that scrapes three nodes under traffic. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { Prometheus } from '../support/prometheus.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';
import { failing, SECRET, taken, WebhookReceiver } from '../support/webhook-receiver.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

interface Panel {
  title: string;
  targets?: { expr: string }[];
}

const { panels } = JSON.parse(readFileSync('deploy/grafana/dashboard.json', 'utf8')) as { panels: Panel[] };
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

requireBinary('prometheus')('the dashboard', () => {
  let redis: RedisServer;
  let receiver: WebhookReceiver;
  let nodes: ServiceProcess[];
  let prometheus: Prometheus;
  const clients: TestClient[] = [];

  beforeAll(async () => {
    [redis, receiver] = await Promise.all([RedisServer.start(), WebhookReceiver.start()]);
    const environment = {
      WEBSOCKET_ENGINE: 'redis',
      WEBSOCKET_REDIS_URL: redis.url,
      WEBSOCKET_PING_INTERVAL: '0.5',
      WEBSOCKET_WEBHOOK_URL: receiver.url,
      WEBSOCKET_WEBHOOK_SECRET: SECRET,
    };
    nodes = await Promise.all([0, 1, 2].map(() => startProcess(environment)));
    prometheus = await Prometheus.start(
      nodes.map(({ port }) => port),
      'deploy/prometheus/alerts.yml',
    );
  }, 60_000);
  afterAll(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    await prometheus.stop();
    await Promise.all(nodes.map((node) => node.stop()));
    await receiver.stop();
    await redis.stop();
  });

  const post = (node: ServiceProcess, path: string, body: object): Promise<Response> =>
    fetch(node.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
      body: JSON.stringify(body),
    });

  /** One round of what people, workers and clients with faults do at one node. */
  async function work(node: ServiceProcess, client: TestClient, round: number): Promise<void> {
    const taskId = `task-${node.port}-${round}`;
    const ask = (timeout: number): Promise<Response> =>
      post(node, '/ws/confirmations', {
        user_id: `user-${node.port}`,
        task_id: taskId,
        step: 1,
        step_result: { message: '?' },
        timeout,
      });
    await post(node, '/ws/broadcast', { type: 'news', round });
    await ask(60);
    const { callback_id } = await client.next({ type: 'task_step_result', task_id: taskId });
    await client.request({ action: 'confirm', callback_id, proceed: true });
    await ask(0.05);
    await client.request({ action: 'confirm', callback_id: 'unknown', proceed: true });
    await client.request({ action: 'subscribe', channel: 'news', recover: { epoch: 'another', offset: 1 } });
    receiver.answering = round % 3 === 0 ? failing(503, { 'retry-after': '1' }) : taken;
    const visitor = await TestClient.connect(`${node.wsUrl}/ws`);
    await visitor.close();
    await fetch(`${node.url}/ws/confirmations/unknown`);
    await TestClient.connect(`${node.wsUrl}/elsewhere`).catch(() => undefined);
  }

  it('has data for every query, and Prometheus evaluates every alert', async () => {
    expect(queries.length).toBeGreaterThan(40);
    for (const node of nodes) {
      const client = await TestClient.connect(`${node.wsUrl}/ws`);
      clients.push(client);
      await client.request({ action: 'subscribe', user_id: `user-${node.port}` });
    }
    const missing = new Set(queries.map(({ title, expr }) => `${title}: ${expr}`));
    const end = performance.now() + 60_000;
    for (let round = 0; missing.size > 0 && performance.now() < end; round += 1) {
      await Promise.all(nodes.map((node, index) => work(node, clients[index] as TestClient, round)));
      await delay(300);
      if (round < 10) continue;
      for (const query of missing) {
        const expression = query.slice(query.indexOf(': ') + 2).replaceAll('$__rate_interval', '5s');
        const samples = await prometheus.query(expression);
        if (samples.some(({ value }) => Number.isFinite(value))) missing.delete(query);
      }
    }
    expect([...missing]).toEqual([]);
    const nodesSeen = await prometheus.query('count by (instance) (websocket_connections)');
    expect(nodesSeen).toHaveLength(3);
    for (const family of ['confirmation_response_seconds_bucket', 'websocket_delivery_seconds_bucket'])
      expect(await prometheus.traceIds(family)).toContain(TRACE);
    expect((await prometheus.rules()).filter(({ health }) => health !== 'ok')).toEqual([]);
  }, 90_000);
});
