/**
 * Around the one decision, after a break: what was registered, remembered, cancelled, acknowledged or restored is what it was.
 * Each row runs `BREAK_ROUNDS` times, 3 unless set; the full proof is 50.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CANCEL_CONFIRMATIONS } from '../../src/notification/engine/redis/scripts/confirmation.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { TestClient } from '../support/client.js';
import { RedisServer } from '../support/redis.js';
import { callsOf } from '../support/redis-scripts.js';
import { startService, type TestService } from '../support/service.js';
import { StallableNode } from '../support/stallable-node.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const ROUNDS = Number(process.env['BREAK_ROUNDS'] ?? 3);
const STEP = { message: 'Go on?' };
const rounds = Array.from({ length: ROUNDS }, (_, round) => round);

requireBinary('redis-server')('after a break between a node and Redis', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  /** Its way to Redis breaks. */
  let broken: TestService;
  let sound: TestService;

  const start = (port: number, environment: Record<string, string> = {}): Promise<TestService> =>
    startService({
      environment: {
        WEBSOCKET_ENGINE: 'redis',
        WEBSOCKET_REDIS_URL: `redis://127.0.0.1:${port}`,
        WEBSOCKET_MAX_CONNECTIONS_PER_USER: '1',
        ...environment,
      },
    });
  beforeAll(async () => {
    redis = await RedisServer.start();
    proxy = await TcpProxy.start({ port: redis.port });
    [broken, sound] = await Promise.all([start(proxy.port), start(redis.port)]);
  });
  afterAll(async () => {
    await Promise.all([broken.stop(), sound.stop()]);
    await proxy.close();
    await redis.stop();
  });

  /** Nothing of what happens meanwhile reaches the node; then its connections break. */
  const whileDeaf = async <T>(work: () => Promise<T>): Promise<T> => {
    for (const connection of proxy.connections) connection.blackHole(['down']);
    const result = await work();
    for (const connection of proxy.connections) connection.cut();
    return result;
  };
  const ready = async (): Promise<void> => {
    while ((await broken.rest('GET', '/health/ready')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  afterEach(ready);

  it.each(rounds)("closes the user's oldest connection, not the newest, though its node missed it (round %i)", async (round) => {
    await ready();
    const older = await broken.connectAs(`limited-${round}`);
    const newer = await whileDeaf(() => sound.connectAs(`limited-${round}`));
    expect(await older.closed()).toEqual({ code: 4509, reason: 'replaced' });
    await newer.settled();
    expect((await sound.notifications.presence(`limited-${round}`)).connections).toBe(1);
    await newer.close();
  });

  it.each(rounds)('says that a message was acknowledged, though the news of it was lost (round %i)', async (round) => {
    await ready();
    const ann = await sound.connectAs(`ann-${round}`);
    const sent = broken.rest('POST', `/ws/users/ann-${round}/messages?requires_ack=true&wait=3`, { type: 'mail' });
    const { message_id } = await ann.next('mail');
    // The reply to the sending came before this one.
    await ready();
    await whileDeaf(() => ann.request({ action: 'ack', message_id }));
    const { status, body } = await sent;
    expect([status, body]).toMatchObject([202, { acknowledged: true }]);
    await ann.close();
  });

  it.each(rounds)('finishes a cancellation that failed half way before the task is resumed (round %i)', async (round) => {
    await ready();
    const taskId = `half-${round}`;
    const asked = await Promise.all(
      ['ann', 'bob', 'cat', 'dan'].map((userId) =>
        sound.notifications.openConfirmation({ stepResult: STEP, userId, taskId, step: 1 }),
      ),
    );
    const cut = proxy.whenSent(callsOf(CANCEL_CONFIRMATIONS), (connection) => connection.cut());
    expect((await broken.rest('POST', `/ws/tasks/${taskId}/cancel`, {})).status).toBe(503);
    await cut;
    await sound.notifications.resumeTask(taskId);
    for (const { confirmation } of asked)
      expect((await sound.notifications.getConfirmation(confirmation.callbackId)).state).toBe('cancelled');
    const later = await sound.notifications.openConfirmation({ stepResult: STEP, userId: 'ann', taskId, step: 2 });
    expect(later.confirmation.state).toBe('pending');
  });

  /** What a channel brought to a connection, in order: offsets, and what was said of gaps. */
  const broughtTo = (client: TestClient): unknown[] =>
    client.received
      .filter(({ type, offset }) => type === 'recovered' || (type === 'news' && offset !== undefined))
      .map(({ type, offset, recovered }) => (type === 'recovered' ? { recovered } : offset));

  it.each(rounds)(
    'catches a standing subscription up with what was accepted while its pub/sub was away (round %i)',
    async (round) => {
      await ready();
      const userId = `standing-${round}`;
      const ann = await broken.connectAs(userId);
      const publish = async (): Promise<void> => {
        expect((await sound.rest('POST', `/ws/users/${userId}/messages`, { type: 'news' })).status).toBe(202);
      };
      await publish();
      await ann.next('news');
      const missed = 1 + (round % 5);
      await whileDeaf(async () => {
        for (let message = 0; message < missed; message += 1) await publish();
      });
      await ready();
      await publish();
      await ann.next({ type: 'news', offset: missed + 2 });
      expect(broughtTo(ann)).toEqual(Array.from({ length: missed + 2 }, (_, index) => index + 1));
      await ann.close();
    },
  );

  it.each(rounds)('catches a standing subscription up, or announces the gap, when Redis restarts (round %i)', async (round) => {
    await ready();
    const channel = `restarted-${round}`;
    const clients = await Promise.all([broken, sound].map((node) => node.connect()));
    for (const client of clients) await client.request({ action: 'subscribe', channel });
    const accepted: number[] = [];
    let serial = 0;
    /** Publishes until `count` messages were accepted. */
    const publish = async (count: number): Promise<void> => {
      for (const target = accepted.length + count; accepted.length < target;) {
        const n = (serial += 1);
        try {
          await sound.notifications.publish(channel, { type: 'news', n });
          accepted.push(n);
        } catch (error) {
          expect(error).toBeInstanceOf(EngineUnavailableError);
          await new Promise((resolve) => setTimeout(resolve, 5)); // a refusal is immediate, a reconnection is not
        }
      }
    };
    await publish(1);
    for (const client of clients) await client.next('news');
    await redis.kill9();
    await redis.restart();
    // The first ones are accepted before every node listens again.
    await publish(3);
    await ready();
    await publish(1);
    for (const client of clients) {
      // A gap that is announced late may cover the newest message, too.
      while (!client.received.some(({ n }) => n === serial)) {
        await publish(1);
        await client.settled();
      }
      const received = client.received.flatMap(({ type, n }) => (type === 'news' ? Number(n) : []));
      const isAnnounced = client.received.some(({ type, recovered }) => type === 'recovered' && recovered === false);
      expect(received).toEqual([...new Set(received)].sort((one, other) => one - other));
      if (!isAnnounced) expect(received).toEqual(expect.arrayContaining(accepted));
      await client.close();
    }
  });

  describe('with a short retention', () => {
    let short: TestService;
    beforeAll(async () => {
      short = await start(redis.port, { WEBSOCKET_RETENTION: '0.3', WEBSOCKET_REDIS_PREFIX: 'short' });
    });
    afterAll(() => short.stop());

    it.each(rounds)('gives a new task nothing of a forgotten one of the same name (round %i)', async (round) => {
      const taskId = `forgotten-${round}`;
      const ask = (userId: string) => short.notifications.openConfirmation({ stepResult: STEP, userId, taskId, step: 1 });
      await Promise.all(['ann', 'bob', 'cat'].map(ask));
      await short.notifications.cancelTask(taskId);
      while ((await short.notifications.getTask(taskId)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      await short.rest('DELETE', `/ws/tasks/${taskId}/cancel`);
      for (const userId of ['ann', 'bob', 'cat']) expect((await ask(userId)).confirmation.state).toBe('pending');
    });
  });
});

requireBinary('faketime')('with a node whose clock is two minutes behind', () => {
  const BEHIND_S = 120;
  const prefix = { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_RETENTION: '60', WEBSOCKET_REDIS_PREFIX: 'late' };
  let redis: RedisServer;
  let late: StallableNode;
  let sound: TestService;
  beforeAll(async () => {
    redis = await RedisServer.start();
    const environment = { ...prefix, WEBSOCKET_REDIS_URL: redis.url };
    [late, sound] = await Promise.all([StallableNode.start(environment), startService({ environment })]);
    late.setClock(-BEHIND_S);
    const probe = await TestClient.connect(late.wsUrl);
    const clock = async (): Promise<number> => Number((await probe.request({ action: 'ping' }))['timestamp']);
    while ((await clock()) > Date.now() / 1000 - BEHIND_S / 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await probe.close();
  });
  afterAll(async () => {
    await sound.stop();
    await late.end();
    await redis.stop();
  });

  it.each(rounds)('shows an acknowledged message that the late node accepted, on either node (round %i)', async (round) => {
    const userId = `ann-${round}`;
    const sent = await fetch(`${late.url}/ws/users/${userId}/messages?requires_ack=true`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'mail' }),
    });
    expect(sent.status).toBe(202);
    const { message_id } = (await sent.json()) as Record<string, unknown>;
    for (const wsUrl of [`${sound.wsUrl}/ws`, late.wsUrl]) {
      const device = await TestClient.connect(wsUrl);
      device.send({ action: 'subscribe', user_id: userId });
      await device.next({ type: 'mail', message_id });
      await device.close();
    }
    const device = await sound.connectAs(userId);
    expect(await device.request({ action: 'ack', message_id })).toMatchObject({ type: 'acknowledged' });
    await device.close();
  });
});

describe('after an older copy of the data folder was put back', () => {
  it.each(rounds)('never says recovered over what it lost (round %i)', async (round) => {
    const folders = await Promise.all(['data', 'copy'].map((name) => mkdtemp(join(tmpdir(), `${name}-`))));
    const [dataDir = '', copy = ''] = folders;
    const run = async <T>(work: (service: TestService) => Promise<T>): Promise<T> => {
      const service = await startService({ dataDir });
      try {
        return await work(service);
      } finally {
        await service.stop();
      }
    };
    const publish = async (service: TestService, count: number): Promise<void> => {
      for (let message = 0; message < count; message += 1) await service.notifications.sendToUser('ann', { type: 'news' });
    };
    const positionAt = async (service: TestService): Promise<object> => {
      const ann = await service.connect();
      const { epoch, offset } = await ann.request({ action: 'subscribe', user_id: 'ann' });
      return { epoch, offset };
    };
    const recovered = async (service: TestService, recover: object): Promise<unknown> => {
      const ann = await service.connect();
      await ann.request({ action: 'subscribe', user_id: 'ann', recover });
      return (await ann.next('recovered'))['recovered'];
    };
    const inside = (from: string, to: string): Promise<void> => cp(from, to, { recursive: true, preserveTimestamps: true });

    const before = await run(async (service) => {
      await publish(service, 3);
      return positionAt(service);
    });
    await inside(dataDir, copy);
    const lost = await run(async (service) => {
      expect(await recovered(service, before)).toBe(true);
      await publish(service, 2 + (round % 3));
      return positionAt(service);
    });
    // Odd rounds overwrite the files in place.
    if (round % 2 === 0) await rm(dataDir, { recursive: true });
    await inside(copy, dataDir);
    await run(async (service) => {
      await publish(service, 9);
      expect(await recovered(service, lost)).toBe(false);
    });
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
});
