/** A node whose port several processes share: limits, status and metrics are the node's, whichever process is asked. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient, type Frame } from '../support/client.js';
import { SECRET, sign } from '../support/jwt.js';
import { runToEnd, startProcess, type ServiceProcess } from '../support/process.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';

const API_KEY = 'an-api-key-of-the-tests';
const PATIENCE_MS = 15_000;
/** Three processes start, one after the other. */
const START_MS = 60_000;

let redis: RedisServer;
let service: ServiceProcess;

const start = async (environment: Record<string, string>): Promise<void> => {
  const url = { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url };
  service = await startProcess({ ...url, WEBSOCKET_WORKERS: '2', WEBSOCKET_API_KEYS: API_KEY, ...environment });
  // The first of them listens.
  await eventually(
    () => readMetrics(),
    (text) => text.includes('websocket_workers 2\n'),
  );
};
const connect = (): Promise<TestClient> => TestClient.connect(`${service.wsUrl}/ws`);

/** Every request on a connection of its own, which the next worker takes. */
const get = async (path: string, signal?: AbortSignal): Promise<Response> =>
  fetch(service.url + path, { headers: { connection: 'close', 'x-api-key': API_KEY }, signal });
const readMetrics = async (signal?: AbortSignal): Promise<string> => (await get('/metrics', signal)).text();
const getJson = async (path: string): Promise<Record<string, unknown>> => (await get(path)).json() as never;

async function eventually<Result>(attempt: () => Promise<Result>, isEnough: (result: Result) => boolean): Promise<Result> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const result = await attempt();
    if (isEnough(result) || performance.now() > end) return result;
    await delay(50);
  }
}

/** Connects until a connection stays. */
async function connectForGood(): Promise<TestClient> {
  const [client] = await eventually(
    async () => {
      const next = await connect();
      return [next, await Promise.race([next.settled().then(() => true), next.closed().then(() => false)])] as const;
    },
    ([, stays]) => stays,
  );
  return client;
}

async function workersOf({ child }: ServiceProcess): Promise<number[]> {
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

requireBinary('redis-server')('workers that share a port', () => {
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  describe('with WEBSOCKET_MAX_CONNECTIONS=4', () => {
    let clients: TestClient[];
    const expectFull = async (): Promise<void> =>
      expect(await (await connect()).closed()).toEqual({ code: 1013, reason: 'Server connection limit reached' });

    beforeAll(async () => {
      await start({ WEBSOCKET_MAX_CONNECTIONS: '4' });
      clients = [];
      for (let count = 0; count < 4; count += 1) clients.push(await connect());
    }, START_MS);
    afterAll(() => service.stop('SIGKILL'));

    it('take four connections together, close the fifth with 1013, and give the place of one that closed to another', async () => {
      await expectFull();
      await expectFull();
      await clients.pop()?.close();
      clients.push(await connectForGood());
      await expectFull();
      for (const client of clients) await client.settled();
    });

    it('deliver to the connections of all', async () => {
      for (const client of clients) await client.request({ action: 'subscribe', channel: 'all' });
      await fetch(`${service.url}/ws/broadcast`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
        body: JSON.stringify({ type: 'hello' }),
      });
      for (const client of clients) await client.next('hello');
    });

    it('report the same connections in status, health and metrics, whichever worker answers', async () => {
      const { metrics: first } = (await getJson('/ws/health')) as { metrics: Record<string, number> };
      for (let request = 0; request < 4; request += 1) {
        expect(await getJson('/ws/status')).toMatchObject({
          active_connections: 4,
          quality: { queue_bytes: 0, reconnects: 0 },
          cluster: { engine: 'redis', nodes: 1, active_connections: 4 },
        });
        expect(await getJson('/ws/health')).toMatchObject({ status: 'healthy', active_connections: 4, metrics: first });
        const text = await readMetrics();
        for (const line of [
          'websocket_connections 4',
          'websocket_running 1',
          'websocket_workers_missing 0',
          'engine_up 1',
          'engine_nodes 1',
        ])
          expect(text.split('\n')).toContain(line);
        expect(text).toMatch(new RegExp(`^websocket_connections_total ${first['total_connections']}$`, 'm'));
      }
    });

    it('keep the exemplar of a delivery, whichever worker has made it', async () => {
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
      await fetch(`${service.url}/ws/confirmations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': API_KEY, traceparent: `00-${trace}-00f067aa0ba902b7-01` },
        body: JSON.stringify({ user_id: 'bea', task_id: 'traced', step: 1, step_result: { message: '?' } }),
      });
      const headers = { accept: 'application/openmetrics-text', 'x-api-key': API_KEY };
      const text = await (await fetch(`${service.url}/metrics`, { headers })).text();
      expect(text).toMatch(new RegExp(`^websocket_delivery_seconds_bucket.* # \\{trace_id="${trace}"`, 'm'));
    });

    it('are one node in the list of nodes', async () => {
      const { nodes } = (await eventually(
        () => getJson('/ws/nodes') as Promise<{ nodes: { workers: number; connections: number }[] }>,
        ({ nodes: [first] }) => first?.workers === 2 && first.connections === 4,
      )) as { nodes: object[] };
      expect(nodes).toHaveLength(1);
    });

    it('leave one that does not answer out of the metrics, and say so', async () => {
      const [, second = 0] = await workersOf(service);
      process.kill(second, 'SIGSTOP');
      try {
        // A request that the stopped worker has taken waits as long as it does.
        const text = await eventually(
          () => readMetrics(AbortSignal.timeout(1000)).catch(String),
          (found) => found.includes('websocket_workers_missing 1\n'),
        );
        expect(text).toMatch(/^websocket_connections [1-3]$/m);
      } finally {
        process.kill(second, 'SIGCONT');
      }
      const text = await eventually(
        () => readMetrics(),
        (found) => found.includes('websocket_workers_missing 0\n'),
      );
      expect(text).toMatch(/^websocket_connections 4$/m);
    });

    it('give back the places of one that was killed', async () => {
      const [first = 0] = await workersOf(service);
      // Each worker has one of them at least.
      for (const client of clients) await client.request({ action: 'subscribe', user_id: 'ann' });
      await eventually(
        async () => {
          const { devices } = (await getJson('/ws/users/ann')) as { devices: { node: string }[] };
          if (new Set(devices.map(({ node }) => node)).size === 2) return true;
          await clients.shift()?.close();
          clients.push(await connectForGood());
          await clients.at(-1)?.request({ action: 'subscribe', user_id: 'ann' });
          return false;
        },
        (isSpread) => isSpread,
      );
      const states = clients.map((client) => {
        const state = { isClosed: false };
        void client.closed().then(() => (state.isClosed = true));
        return state;
      });
      process.kill(first, 'SIGKILL');
      await eventually(
        async () => states.filter(({ isClosed }) => isClosed).length,
        (count) => count > 0,
      );
      // The kernel has closed all sockets of the killed worker. A connection that is answered is not one of them.
      for (const client of clients) client.send({ action: 'ping', sent: 'after the kill' });
      const isAnswered = ({ type, original_data }: Frame): boolean =>
        type === 'pong' && (original_data as Frame)['sent'] === 'after the kill';
      await eventually(
        async () => clients.filter((client, index) => states[index]?.isClosed || client.received.some(isAnswered)).length,
        (count) => count === clients.length,
      );
      const lost = clients.filter((_, index) => states[index]?.isClosed);
      expect([1, 2, 3]).toContain(lost.length);
      for (let count = 0; count < lost.length; count += 1) await connectForGood();
      await expectFull();
      await expectFull();
    });
  });

  describe('in secure mode with WEBSOCKET_MAX_CONNECTIONS=20', () => {
    beforeAll(() => start({ WEBSOCKET_MAX_CONNECTIONS: '20', WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET }), START_MS);

    it('keep two connections without a token together: the oldest gives way, and one that authenticates leaves its place', async () => {
      const ann = await sign({ sub: 'ann' });
      const [oldest, second] = [await connect(), await connect()];
      const third = await connect();
      expect(await oldest.closed()).toMatchObject({ code: 4401 });
      expect(await second.request({ action: 'authenticate', token: ann })).toMatchObject({ type: 'authenticated' });
      const fourth = await connect();
      expect(await third.request({ action: 'authenticate', token: ann })).toMatchObject({ type: 'authenticated' });
      expect(await fourth.request({ action: 'authenticate', token: ann })).toMatchObject({ type: 'authenticated' });
      for (const client of [second, third, fourth]) await client.settled();
    });

    it('end with their first process, which sends their clients away', async () => {
      const client = await connect();
      await client.request({ action: 'authenticate', token: await sign({ sub: 'ann' }) });
      expect(await service.stop()).toEqual({ code: 0, signal: null });
      expect(await client.closed()).toMatchObject({ code: 1012 });
    });
  });
});

it('WEBSOCKET_WORKERS without the Redis engine is refused', async () => {
  const { code, stderr } = await runToEnd({ WEBSOCKET_WORKERS: '2' });
  expect([code, stderr.trim()]).toEqual([1, 'WEBSOCKET_WORKERS is set, but it needs WEBSOCKET_ENGINE=redis']);
});
