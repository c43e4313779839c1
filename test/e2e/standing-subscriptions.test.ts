/** A subscription that may have missed something, because the store or the way to Redis was away, learns of it without asking. */
import type { Worker } from 'node:worker_threads';
import { Engine } from '../../src/notification/engine/engine.js';
import type { Frame, TestClient } from '../support/client.js';
import { untilAvailable } from '../support/redis-nodes.js';
import { RedisServer } from '../support/redis.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const HISTORY = 5;
const CHANNELS = ['user:ann', 'task:deploy', 'news', 'broadcast'];

async function publish({ notifications }: TestService, channel: string, n: number): Promise<void> {
  if (channel === 'broadcast') await notifications.broadcastMessage({ type: 'note', n });
  else await notifications.publish(channel, { type: 'note', n });
}

/** Everything of a channel, from a frame on, in the order of arrival. */
const of = (client: TestClient, channel: string): unknown[] =>
  client.received
    .filter((frame) => frame['channel'] === channel && frame.type !== 'subscription_confirmed')
    .map(({ type, offset, recovered }) => (type === 'recovered' ? `recovered: ${String(recovered)} ${String(offset)}` : offset));

async function subscribed(service: TestService): Promise<TestClient> {
  const client = await service.connect();
  await client.request({ action: 'subscribe', channels: CHANNELS.map((channel) => ({ channel })) });
  return client;
}

describe('on one node', () => {
  /** The embedded engine's end of its thread. */
  interface Store {
    phase: { name: string; worker?: Worker };
    store: { publish(channel: string, text: string): Promise<unknown> };
    journal: { forgetHeads(): void };
  }
  let service: TestService;
  let store: Store;
  beforeEach(async () => {
    service = await startService({ environment: { WEBSOCKET_HISTORY_SIZE: String(HISTORY) } });
    ({ client: store } = service.app.get<{ client: Store }>(Engine));
  });
  afterEach(() => service.stop());

  /** As when the store's thread dies between the commit and its answer: the next one begins without known heads. */
  const storeUnseen = async (channel: string, n: number): Promise<void> => {
    await store.store.publish(channel, JSON.stringify({ type: 'note', n }));
    store.journal.forgetHeads();
  };

  it.each(CHANNELS)('delivers from history what was stored and not delivered, before newer messages: %s', async (channel) => {
    const client = await subscribed(service);
    await publish(service, channel, 1);
    for (const n of [2, 3]) await storeUnseen(channel, n);
    await publish(service, channel, 4);
    await client.next({ channel, n: 4 });
    expect(of(client, channel)).toEqual([1, 2, 3, 4]);
    for (let n = 5; n < 20; n += 1) await storeUnseen(channel, n);
    await publish(service, channel, 20);
    expect(await client.next('recovered')).toMatchObject({ channel, recovered: false, offset: 20 });
    await publish(service, channel, 21);
    await client.next({ channel, n: 21 });
    expect(of(client, channel)).toEqual([1, 2, 3, 4, 'recovered: false 20', 21]);
  });

  it('catches every subscription up when a thread that died was replaced', async () => {
    const client = await subscribed(service);
    for (const channel of CHANNELS) for (const n of [1, 2]) await storeUnseen(channel, n);
    await store.phase.worker?.terminate();
    for (const channel of CHANNELS) await client.next({ channel, n: 2 });
    for (const channel of CHANNELS) expect(of(client, channel)).toEqual([1, 2]);
  });
});

requireBinary('redis-server')('on two nodes', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let nodes: [TestService, TestService];
  beforeEach(async () => {
    redis = await RedisServer.start();
    proxy = await TcpProxy.start({ port: redis.port });
    const start = (port: number): Promise<TestService> =>
      startService({
        environment: {
          WEBSOCKET_ENGINE: 'redis',
          WEBSOCKET_REDIS_URL: `redis://127.0.0.1:${port}`,
          WEBSOCKET_HISTORY_SIZE: String(HISTORY),
        },
      });
    nodes = await Promise.all([start(proxy.port), start(redis.port)]);
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await proxy.close();
    await redis.stop();
  });

  it('catches up what was published while Redis was out of reach, or says what is gone, and follows a restart', async () => {
    const client = await subscribed(nodes[0]);
    const away = async (numbers: number[]): Promise<void> => {
      proxy.cut();
      await proxy.refuse();
      for (const channel of CHANNELS) for (const n of numbers) await publish(nodes[1], channel, n);
      await proxy.resume();
    };
    for (const channel of CHANNELS) await publish(nodes[1], channel, 1);
    for (const channel of CHANNELS) await client.next({ channel, n: 1 });
    await away([2, 3, 4]);
    for (const channel of CHANNELS) await client.next({ channel, n: 4 });
    await away([5, 6, 7, 8, 9, 10, 11]);
    for (const channel of CHANNELS)
      expect(await client.next({ type: 'recovered', channel })).toMatchObject({ recovered: false, offset: 11 });

    await redis.kill9();
    await redis.restart();
    const restarted: Frame[] = [];
    for (const channel of CHANNELS) restarted.push(await client.next({ type: 'recovered', channel }));
    expect(restarted.map(({ recovered }) => recovered)).toEqual(CHANNELS.map(() => false));
    for (const channel of CHANNELS) {
      await untilAvailable(() => publish(nodes[1], channel, 12));
      await client.next({ channel, n: 12 });
      const last = restarted.find((frame) => frame['channel'] === channel)?.['offset'];
      expect(of(client, channel)).toEqual([
        1,
        2,
        3,
        4,
        'recovered: false 11',
        `recovered: false ${String(last)}`,
        Number(last) + 1,
      ]);
    }
  });
});
