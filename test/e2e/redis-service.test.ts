/** Nodes of the real service on one real Redis behave as one. */
import { RedisServer } from '../support/redis.js';
import { startProcess, runToEnd } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { Heartbeats } from '../../src/notification/task/heartbeats.js';

const describeWithRedis = requireBinary('redis-server');
const STEP = { message: '?' };

describeWithRedis('nodes on one Redis', () => {
  let redis: RedisServer;
  let nodes: TestService[];
  const node = (index: number): TestService => nodes[index] as TestService;
  const environment = (): Record<string, string> => ({
    WEBSOCKET_ENGINE: 'redis',
    WEBSOCKET_REDIS_URL: redis.url,
    WEBSOCKET_MAX_CONNECTIONS_PER_USER: '2',
  });

  beforeAll(async () => {
    redis = await RedisServer.start();
    nodes = await Promise.all([0, 1, 2].map(() => startService({ environment: environment() })));
  });
  afterAll(async () => {
    await Promise.all(nodes.map((one) => one.stop()));
    await redis.stop();
  });

  it('ask on one, show on another, answer on a third', async () => {
    const [shown, answering] = [await node(1).connectAs('ann'), await node(2).connectAs('ann')];
    const asked = node(0).notifications.notifyUser(STEP, 'ann', 'task-1', 1, {
      choices: [{ id: 'go', label: 'Go', proceed: true }],
    });
    const { callback_id } = await shown.next('task_step_result');
    await answering.next({ type: 'task_step_result', callback_id });
    expect(await answering.request({ action: 'confirm', callback_id, choice: 'go' })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await shown.next('confirmation_resolved')).toMatchObject({ callback_id, answered_by: 'ann', choice: 'go' });
    expect(await asked).toMatchObject({ proceed: true, choice: 'go', callbackId: callback_id });
    await Promise.all([shown.close(), answering.close()]);
  });

  it('publish in the order of the calls, also on a Redis that does not know the script yet', async () => {
    const fresh = await RedisServer.start();
    const first = await startService({ environment: { ...environment(), WEBSOCKET_REDIS_URL: fresh.url } });
    const client = await first.connect();
    await client.request({ action: 'subscribe', channel: 'news' });
    const published: Promise<unknown>[] = [];
    for (let n = 1; n <= 1000; n += 1) {
      published.push(first.notifications.publish('news', { type: 'note', n }));
      if (n % 5 === 0) await new Promise(setImmediate);
    }
    await Promise.all(published);
    await client.next({ n: 1000 });
    expect(client.received.filter(({ type }) => type === 'note').map(({ n }) => n)).toEqual(
      Array.from({ length: 1000 }, (_, index) => index + 1),
    );
    await first.stop();
    await fresh.stop();
  });

  it('list one another with what each has sent and seen decided', async () => {
    const seen = await node(0).connectAs('lister');
    await node(1).notifications.sendToUser('lister', { type: 'hello' });
    await seen.next('hello');
    const list = async (): Promise<{ connections: number; messages_sent: number }[]> =>
      ((await node(2).rest('GET', '/ws/nodes')).body as unknown as { nodes: { connections: number; messages_sent: number }[] })
        .nodes;
    let found = await list();
    while (!found.some(({ connections, messages_sent: sent }) => connections === 1 && sent > 0)) found = await list();
    expect(found).toHaveLength(3);
    await seen.close();
  });

  it('emit decisions and cancellations on every node', async () => {
    const decided = new Promise((resolve) =>
      node(2).notifications.decisions$.subscribe(({ taskId, outcome }) => taskId === 'task-2' && resolve(outcome)),
    );
    const signal = node(1).notifications.cancellationSignal('task-2');
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    const asked = node(0).notifications.notifyUser(STEP, 'bob', 'task-2', 1);
    const bob = await node(1).connectAs('bob');
    await bob.next('task_step_result');
    expect(await bob.request({ action: 'cancel', user_id: 'bob', task_id: 'task-2' })).toMatchObject({ type: 'task_cancelled' });
    expect(await asked).toMatchObject({ outcome: 'cancelled', proceed: false });
    expect(await decided).toBe('cancelled');
    await aborted;
    await bob.close();
  });

  it('keep one lease of a heartbeat, at the node asked last, and stop it at any', async () => {
    const heartbeat = (index: number, method: string, body?: object): Promise<Response> =>
      fetch(`${node(index).url}/ws/tasks/task-beats/heartbeat`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: body && JSON.stringify(body),
      });
    const sizes = (): number[] => nodes.map(({ app }) => app.get(Heartbeats).size);
    const until = async (expected: number[]): Promise<void> => {
      while (sizes().join() !== expected.join()) await new Promise(setImmediate);
    };
    const lease = { user_id: 'eve', interval: 60, ttl: 600 };
    for (const [index, expected] of [
      [0, [1, 0, 0]],
      [1, [0, 1, 0]],
      [0, [1, 0, 0]],
      [0, [1, 0, 0]],
    ] as const) {
      expect((await heartbeat(index, 'POST', lease)).status).toBe(202);
      await until([...expected]);
    }
    expect((await heartbeat(2, 'DELETE')).status).toBe(204);
    await until([0, 0, 0]);
  });

  it('reach users, tasks, channels and everybody, wherever they are', async () => {
    const [cat, watcher] = [await node(1).connectAs('cat'), await node(2).connect()];
    await cat.request({ action: 'subscribe', channel: 'news' });
    await node(0).notifications.sendToUser('cat', { type: 'one' });
    expect(await cat.next('one')).toMatchObject({ target_user_id: 'cat', offset: 1 });
    expect(await watcher.next('one')).toMatchObject({ target_user_id: 'cat' });
    await node(0).notifications.publish('news', { type: 'two' });
    await cat.next({ type: 'two', channel: 'news' });
    await node(2).notifications.broadcastMessage({ type: 'three' });
    await Promise.all([cat.next('three'), watcher.next('three')]);
    const acknowledged = node(0).notifications.sendToUser('cat', { type: 'four' }, { requiresAck: true, ackTimeoutMs: 10_000 });
    const { message_id } = await cat.next('four');
    await cat.request({ action: 'ack', message_id });
    expect(await acknowledged).toMatchObject({ acknowledged: true });
    await Promise.all([cat.close(), watcher.close()]);
  });

  it('count connections together, and close a user’s oldest wherever it is', async () => {
    const oldest = await node(0).connectAs('dan');
    const others = [await node(1).connectAs('dan'), await node(2).connectAs('dan')];
    expect(await oldest.closed()).toEqual({ code: 4509, reason: 'replaced' });
    expect((await node(0).notifications.presence('dan')).connections).toBe(2);
    expect((await node(1).notifications.getStatus()).cluster).toMatchObject({ engine: 'redis', nodes: 3 });
    for (const client of others) await client.close();
  });

  it('take a question up again on another node', async () => {
    const first = await node(0).notifications.openConfirmation({
      stepResult: STEP,
      userId: 'eva',
      taskId: 't',
      step: 1,
      key: 'k',
    });
    const again = node(1).notifications.notifyUser(STEP, 'eva', 't', 1, { key: 'k' });
    const eva = await node(2).connectAs('eva');
    const { callback_id } = await eva.next('task_step_result');
    expect(callback_id).toBe(first.confirmation.callbackId);
    await eva.request({ action: 'confirm', callback_id, proceed: true });
    expect((await again).proceed).toBe(true);
    await eva.close();
  });

  it('close a revoked user’s connections wherever they are', async () => {
    const [one, two, other] = [await node(1).connectAs('gil'), await node(2).connectAs('gil'), await node(1).connectAs('hal')];
    await node(0).notifications.revokeUser('gil');
    expect(await one.closed()).toEqual({ code: 4401, reason: 'revoked' });
    expect(await two.closed()).toEqual({ code: 4401, reason: 'revoked' });
    await other.settled();
    await other.close();
  });

  it('turn red and refuse within two seconds while Redis is away, and heal', async () => {
    const eva = await node(0).connectAs('fay');
    const asked = node(1).notifications.notifyUser(STEP, 'fay', 't', 1);
    const { callback_id } = await eva.next('task_step_result');
    redis.pause();
    await expect(node(0).notifications.notifyUser(STEP, 'fay', 't', 2)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await eva.request({ action: 'confirm', callback_id, proceed: true })).toMatchObject({
      type: 'error',
      code: 'UNAVAILABLE',
    });
    expect((await node(0).rest('GET', '/health/ready')).status).toBe(503);
    redis.resume();
    while ((await node(0).rest('GET', '/health/ready')).status !== 200) await new Promise((resolve) => setImmediate(resolve));
    const repeated = await eva.request({ action: 'confirm', callback_id, proceed: true });
    expect(repeated).toMatchObject({ type: 'confirmation_accepted' });
    expect(await asked).toMatchObject({ proceed: true, outcome: 'answered' });
    await eva.close();
  });
});

describeWithRedis('a Redis that would lose what it acknowledged', () => {
  it('is refused with the reason, unless a setting accepts the loss', async () => {
    const redis = await RedisServer.start({ appendonly: false });
    const environment = {
      WEBSOCKET_ENGINE: 'redis',
      WEBSOCKET_REDIS_URL: redis.url,
      WEBSOCKET_PORT: '0',
      WEBSOCKET_HOST: '127.0.0.1',
    };
    const { code, stderr } = await runToEnd(environment);
    expect([code, stderr.trim().split('\n')]).toEqual([1, [expect.stringContaining('appendonly')]]);
    const service = await startProcess({ ...environment, WEBSOCKET_REDIS_ACCEPT_LOSS: 'on' });
    await service.stop();
    await redis.stop();
  });
});
