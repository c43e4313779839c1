/** Deployments on one Redis that differ in their database or in their prefix share nothing. */
import { RedisServer } from '../support/redis.js';
import { runToEnd } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import type { TestClient } from '../support/client.js';

const STEP = { message: 'Go on?' };

requireBinary('redis-server')('two deployments on one Redis', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  const start = (database: string, prefix?: string): Promise<TestService> =>
    startService({
      environment: {
        WEBSOCKET_ENGINE: 'redis',
        WEBSOCKET_REDIS_URL: `${redis.url}${database}`,
        WEBSOCKET_MAX_CONNECTIONS_PER_USER: '1',
        ...(prefix !== undefined && { WEBSOCKET_REDIS_PREFIX: prefix }),
      },
    });

  describe.each([
    { difference: 'the database', one: ['', undefined], other: ['/5', undefined] },
    { difference: 'the prefix', one: ['/5', 'blue'], other: ['/5', 'green'] },
    { difference: 'where the prefix ends', one: ['/1', 'a'], other: ['/1', 'a:1'] },
  ] as const)('share nothing when they differ in $difference', ({ one, other }) => {
    let production: TestService;
    let staging: TestService;
    let ann: TestClient;
    let anonymous: TestClient;

    beforeAll(async () => {
      [production, staging] = await Promise.all([start(one[0], one[1]), start(other[0], other[1])]);
      anonymous = await production.connect();
      ann = await production.connectAs('ann');
      await ann.request({ action: 'subscribe', channel: 'news' });
      await ann.request({ action: 'subscribe', task_id: 'deploy' });
    });
    afterAll(() => Promise.all([production.stop(), staging.stop()]));

    it('show no prompt, message or cancellation of the other, decide nothing there and close nobody there', async () => {
      const signal = production.notifications.cancellationSignal('deploy');
      const decisions: unknown[] = [];
      const subscription = production.notifications.decisions$.subscribe((event) => decisions.push(event));
      const request = { stepResult: STEP, userId: 'ann', taskId: 'deploy', step: 1, key: 'k' };
      const asked = await production.notifications.openConfirmation(request);
      const callback_id = String((await ann.next('task_step_result'))['callback_id']);
      await anonymous.next({ type: 'task_step_result', callback_id });

      const { notifications } = staging;
      const elsewhere = await notifications.openConfirmation(request);
      expect(elsewhere).toMatchObject({ created: true });
      expect(elsewhere.confirmation.callbackId).not.toBe(asked.confirmation.callbackId);
      await expect(notifications.answer(callback_id, { userId: 'ann' }, { proceed: true })).rejects.toThrow();
      expect(await notifications.broadcastMessage({ type: 'all' })).toMatchObject({ deliveredTo: 0 });
      expect(await notifications.sendToUser('ann', { type: 'one' })).toMatchObject({ deliveredTo: 0 });
      expect(await notifications.sendToUser('ann', { type: 'kept' }, { requiresAck: true })).toMatchObject({ deliveredTo: 0 });
      expect(await notifications.sendToTask('deploy', { type: 'step' })).toMatchObject({ deliveredTo: 0 });
      expect(await notifications.publish('news', { type: 'news' })).toMatchObject({ deliveredTo: 0 });
      expect(await notifications.presence('ann')).toMatchObject({ connections: 0 });
      expect((await notifications.getStatus()).cluster).toMatchObject({ nodes: 1, activeConnections: 0 });
      const beside = await staging.connectAs('ann');
      await beside.next('kept');
      await notifications.cancelTask('deploy');
      await beside.next('task_cancelled');
      await notifications.revokeUser('ann');
      expect(await beside.closed()).toMatchObject({ code: 4401 });

      // What is published last shows that nothing of the above came.
      await production.notifications.publish('news', { type: 'last' });
      expect(await ann.next('last')).toMatchObject({ offset: 1 });
      await anonymous.settled();
      await ann.settled();
      const foreign = ['all', 'one', 'kept', 'step', 'news', 'task_cancelled', 'confirmation_resolved'];
      for (const client of [ann, anonymous]) expect(client.received.filter(({ type }) => foreign.includes(type))).toEqual([]);
      expect([signal.aborted, decisions]).toEqual([false, []]);
      expect(await production.notifications.getTask('deploy')).toMatchObject({ cancelled: false });
      expect((await production.notifications.getConfirmation(callback_id)).state).toBe('pending');
      subscription.unsubscribe();
    });
  });

  it('name every key and every pub/sub channel by prefix and database', async () => {
    const service = await start('/7', 'blue/7@x');
    const ann = await service.connectAs('ann');
    await ann.request({ action: 'subscribe', channel: 'news' });
    await service.notifications.publish('news', { type: 'news' });
    service.ask(STEP, 'ann', 'deploy', 1);
    await ann.next('task_step_result');
    const lines = async (...command: string[]): Promise<string[]> =>
      (await redis.command(...command)).split('\r\n').filter((line) => /[a-z]/.test(line));
    const channels = (await lines('PUBSUB', 'SHARDCHANNELS')).filter((name) => name.includes('@x'));
    expect(channels.length).toBeGreaterThan(64);
    expect(channels.filter((name) => !/^blue\/7@x:7:\{p\d+\}:/.test(name))).toEqual([]);
    const keys = (await redis.pipeline(['SELECT', '7'], ['KEYS', '*'])).split('\r\n').filter((line) => /^[a-z]/.test(line));
    expect(keys.length).toBeGreaterThan(64);
    expect(keys.filter((name) => !/^blue\/7@x:7:\{(p\d+|nodes)\}/.test(name))).toEqual([]);
    await service.stop();
  });

  it.each([
    [{ WEBSOCKET_REDIS_PREFIX: 'a{b' }, /^WEBSOCKET_REDIS_PREFIX is "a\{b", but takes /],
    [{ WEBSOCKET_REDIS_URL: 'redis://127.0.0.1:1/staging' }, /database/],
    [{ WEBSOCKET_REDIS_URL: 'redis://127.0.0.1:1/5,redis://127.0.0.1:2/5' }, /Redis Cluster has only database 0/],
  ])('refuse a name that they could not keep apart: %o', async (environment, reason) => {
    const { code, stderr } = await runToEnd({
      WEBSOCKET_ENGINE: 'redis',
      WEBSOCKET_REDIS_URL: redis.url,
      WEBSOCKET_PORT: '0',
      ...environment,
    });
    expect([code, stderr.trim().split('\n')]).toEqual([1, [expect.stringMatching(reason)]]);
  });
});
