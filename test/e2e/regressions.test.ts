/** Faults that were there once, each through real sockets. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { Broker, ConfirmationStore, Engine } from '../../src/notification/engine/engine.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { startProcess } from '../support/process.js';
import type { TestClient } from '../support/client.js';
import { startService, type TestService } from '../support/service.js';

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

describe('a refused upgrade', () => {
  it('does not end the process when its peer resets', async () => {
    const service = await startProcess();
    for (let count = 0; count < 50; count += 1) {
      const socket = connectTcp(service.port, '127.0.0.1');
      await once(socket, 'connect');
      await new Promise<void>((written) => socket.write(handshake('/nowhere'), () => written()));
      socket.resetAndDestroy();
    }
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
    await service.stop();
  });
});

describe('a flood', () => {
  it('is closed with 1008 when it goes on, also while tokens arrive one by one', async () => {
    const service = await startService({ environment: { WEBSOCKET_RATE_LIMIT: '200', WEBSOCKET_RATE_BURST: '1' } });
    const client = await service.connect();
    let open = true;
    const closed = client.closed().finally(() => (open = false));
    let replies = 0;
    // One at a time: each waits for its answer, so that a token is there again after a few.
    for (; open && replies < 5000; replies += 1) {
      client.send({ action: 'ping' });
      await Promise.race([once(client.socket, 'message'), closed]);
    }
    expect(replies).toBeLessThan(5000);
    expect(await closed).toEqual({ code: 1008, reason: 'rate limit exceeded' });
    await service.stop();
  });
});

describe('subscribing', () => {
  const epochOf = async (service: TestService, channel: string): Promise<string> =>
    String((await (await service.connect()).request({ action: 'subscribe', channel }))['epoch']);
  const numbers = (client: TestClient): unknown[] => client.received.filter(({ type }) => type === 'news').map(({ n }) => n);
  const offsets = (client: TestClient, channel: string): unknown[] =>
    client.received
      .filter((frame) => frame['channel'] === channel && frame['offset'] !== undefined && frame.type === 'news')
      .map(({ offset }) => offset);
  const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it.each([
    ['an anonymous connection that says who it is', false],
    ['a user who says so again', true],
  ])('repeats and loses no message that is published meanwhile, by %s', async (_who, twice) => {
    for (let round = 0; round < 20; round += 1) {
      const user = `reader-${String(twice)}-${round}`;
      const client = twice ? await service.connectAs(user) : await service.connect();
      const sent: Promise<unknown>[] = [];
      for (let count = 0; count < 30; count += 1) {
        sent.push(service.notifications.sendToUser(user, { type: 'news', n: count + 1 }));
        if (count === 5) client.send({ action: 'subscribe', user_id: user });
        if (count % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(sent);
      await service.notifications.sendToUser(user, { type: 'last' });
      await client.next('last');
      expect(numbers(client)).toEqual(upTo(30));
    }
  });

  it('twice at once serves the one that recovers, whichever comes first', async () => {
    for (const recoverFirst of [true, false]) {
      const channel = `twice-${String(recoverFirst)}`;
      const epoch = await epochOf(service, channel);
      for (let count = 0; count < 250; count += 1) await service.notifications.publish(channel, { type: 'news' });
      const client = await service.connect();
      const frames = [
        { action: 'subscribe', channel, recover: { epoch, offset: 0 } },
        { action: 'subscribe', channel },
      ];
      for (const frame of recoverFirst ? frames : frames.reverse()) client.send(frame);
      expect(await client.next('recovered')).toMatchObject({ channel, recovered: true, offset: 250 });
      expect(offsets(client, channel)).toEqual(upTo(250));
      await service.notifications.publish(channel, { type: 'news' });
      expect(await client.next({ type: 'news', offset: 251 })).toMatchObject({ channel });
    }
  });

  it('shows nothing after the reply to an unsubscribe in the middle of a recovery', async () => {
    const channel = 'cut-short';
    const epoch = await epochOf(service, channel);
    for (let count = 0; count < 500; count += 1) await service.notifications.publish(channel, { type: 'news' });
    const client = await service.connect();
    client.send({ action: 'subscribe', channel, recover: { epoch, offset: 0 } });
    client.send({ action: 'unsubscribe', channel });
    await client.next('unsubscribed');
    const before = client.received.length;
    await client.settled();
    await client.settled();
    expect(client.received.slice(before).filter(({ type }) => type !== 'pong')).toEqual([]);
  });

  it('counts in the user’s presence and limit when a token in the handshake does it', async () => {
    const secure = await startService({
      options: { maxConnectionsPerUser: 1, authenticator: { authenticate: async (token) => ({ userId: token }) } },
    });
    const authorised = { headers: { authorization: 'Bearer ann' } };
    await secure.notifications.openConfirmation({ stepResult: { message: 'ready?' }, userId: 'ann', taskId: 'task', step: 1 });
    const first = await secure.connect(authorised);
    await first.next({ redelivered: true });
    expect(await secure.notifications.presence('ann')).toMatchObject({ connections: 1 });
    const second = await secure.connect(authorised);
    expect(await first.closed()).toEqual({ code: 4509, reason: 'replaced' });
    await second.next({ redelivered: true });
    expect(await secure.notifications.presence('ann')).toMatchObject({ connections: 1 });
    await secure.stop();
  });

  it('names no user whose name is empty', async () => {
    const client = await service.connect();
    for (const channel of ['user:', 'task:'])
      expect(await client.request({ action: 'subscribe', channel })).toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { channel: expect.any(String) },
      });
  });

  it('asks for no recovery when recover is null', async () => {
    const client = await service.connect();
    await client.request({ action: 'subscribe', channel: 'quiet', recover: null });
    await client.settled();
    expect(client.pendingFrames('recovered')).toEqual([]);
  });
});

describe('names', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  const question = (user_id: string, task_id: string): object => ({
    user_id,
    task_id,
    step: 1,
    step_result: { message: 'Go on?' },
  });

  it.each([
    ['a NUL, at which stores cut text', 'ann\0x'],
    ['half a character', 'ann\ud800'],
    ['257 characters', 'a'.repeat(257)],
  ])('are refused at every door: with %s', async (_what, name) => {
    const client = await service.connect();
    expect(await client.requestUnchecked({ action: 'subscribe', user_id: name })).toMatchObject({ code: 'INVALID_MESSAGE' });
    const bodies: [string, unknown][] = [
      ['/ws/confirmations', question(name, 'task')],
      ['/ws/confirmations', question('ann', name)],
      ['/ws/tasks/task/heartbeat', { user_id: name }],
      ['/ws/tasks/task/cancel', { user_id: name }],
    ];
    for (const [path, body] of bodies)
      expect(await service.rest('POST', path, body)).toMatchObject({ status: 400, body: { code: 'INVALID_MESSAGE' } });
    await expect(
      service.notifications.openConfirmation({ stepResult: { message: 'Go on?' }, userId: name, taskId: 't', step: 1 }),
    ).rejects.toMatchObject({
      code: 'INVALID_MESSAGE',
    });
    await expect(service.notifications.cancelTask(name)).rejects.toMatchObject({ fields: { taskId: expect.any(String) } });
  });

  it.each([
    ['POST', '/ws/users/:name/messages', 'user_id'],
    ['GET', '/ws/users/:name', 'user_id'],
    ['GET', '/ws/users/:name/confirmations', 'user_id'],
    ['POST', '/ws/tasks/:name/messages', 'task_id'],
    ['POST', '/ws/tasks/:name/cancel', 'task_id'],
    ['DELETE', '/ws/tasks/:name/cancel', 'task_id'],
    ['GET', '/ws/tasks/:name', 'task_id'],
  ])('are checked in the path of %s %s, and named as the path names them', async (method, path, field) => {
    for (const name of ['a'.repeat(257), 'ann%00x'])
      expect(
        await service.rest(method, path.replace(':name', name), method === 'POST' ? { type: 'x' } : undefined),
      ).toMatchObject({
        status: 400,
        body: { fields: { [field]: expect.any(String) } },
      });
  });

  it('are not valid in a token when no store could keep them apart', async () => {
    const secure = await startService({ options: { authenticator: { authenticate: async () => ({ userId: 'ann\0x' }) } } });
    await expect(secure.connect({ headers: { authorization: 'Bearer x' } })).rejects.toMatchObject({ status: 401 });
    await secure.stop();
  });
});

describe('numbers', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());
  const ask = { stepResult: { message: 'Go on?' }, userId: 'ann', taskId: 'task', step: 1 };

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 0])(
    'are refused, and not read as “for ever”: timeoutMs %s',
    async (timeoutMs) => {
      await expect(service.notifications.openConfirmation({ ...ask, timeoutMs })).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { timeoutMs: expect.any(String) },
      });
    },
  );

  it('are deadlines: timeoutMs of 31 years and of half a millisecond', async () => {
    const { confirmation } = await service.notifications.openConfirmation({ ...ask, timeoutMs: 1e12 });
    expect(confirmation).toMatchObject({ state: 'pending', expiresAt: confirmation.createdAt + 1e12 });
    const soon = await service.notifications.openConfirmation({ ...ask, timeoutMs: 0.5 });
    expect(soon.confirmation.expiresAt).toBe(soon.confirmation.createdAt + 1);
  });

  it('longer than a timer takes are waited for all the same', async () => {
    const { confirmation } = await service.notifications.openConfirmation(ask);
    const waiting = service.notifications.getConfirmation(confirmation.callbackId, { waitMs: 1e12 });
    const sent = service.notifications.sendToUser('ann', { type: 'invoice' }, { requiresAck: true, ackTimeoutMs: 1e12 });
    const client = await service.connectAs('ann');
    const { message_id } = await client.next('invoice');
    await client.request({ action: 'ack', message_id });
    await client.request({ action: 'confirm', callback_id: confirmation.callbackId, proceed: true });
    expect(await waiting).toMatchObject({ state: 'answered' });
    expect(await sent).toMatchObject({ acknowledged: true });
  });

  it.each([
    { ackTimeoutMs: Number.NaN },
    { ackTimeoutMs: -1 },
    { ttlMs: Number.NaN },
    { ttlMs: 0 },
    { ttlMs: Number.POSITIVE_INFINITY },
  ])('are refused as the duration of a message: %p', async (options) => {
    await expect(service.notifications.sendToUser('ann', { type: 'x' }, { requiresAck: true, ...options })).rejects.toMatchObject(
      {
        code: 'INVALID_MESSAGE',
      },
    );
  });

  it('are refused as request_id when no reply can carry them', async () => {
    const client = await service.connect();
    client.send('{"action":"ping","request_id":1e999}');
    expect(await client.next('error')).toMatchObject({ code: 'INVALID_MESSAGE', fields: { request_id: expect.any(String) } });
  });
});

describe('stopping', () => {
  it('waits for the same end when it is called twice: app.close() in the middle of a drain cuts no connection', async () => {
    const service = await startService({ environment: { WEBSOCKET_DRAIN_TIMEOUT: '0.3' } });
    const clients = [await service.connect(), await service.connect(), await service.connect()];
    const drained = service.notifications.stopServer();
    await service.app.close();
    await drained;
    for (const client of clients) expect(await client.closed()).toEqual({ code: 1012, reason: 'service restart' });
  });

  it('lets a start in the middle of it bring the service back', async () => {
    const service = await startService({ environment: { WEBSOCKET_DRAIN_TIMEOUT: '0.2' } });
    await service.connect();
    await service.connect();
    const drained = service.notifications.stopServer();
    await service.notifications.startServer();
    await drained;
    expect((await service.notifications.getStatus()).running).toBe(true);
    const client = await service.connect();
    await client.settled();
    await service.stop();
  });

  it('refuses who authenticates while it begins', async () => {
    let admit!: () => void;
    const checking = new Promise<void>((begun) => {
      admit = begun;
    });
    let finish!: () => void;
    const service = await startService({
      options: {
        authenticator: {
          authenticate: () => {
            admit();
            return new Promise((resolve) => (finish = () => resolve({ userId: 'ann' })));
          },
        },
      },
    });
    const late = service.connect({ headers: { authorization: 'Bearer x' } });
    const refused = expect(late).rejects.toMatchObject({ status: 503 });
    await checking;
    await service.notifications.stopServer();
    finish();
    await refused;
    await service.stop();
  });

  it('begins no heartbeat any more', async () => {
    const service = await startService();
    await service.stop();
    expect(() => service.notifications.sendHeartbeat('ann', 'task', 0.1)).toThrow('closed');
  });
});

describe('a device whose answer is refused while another one decides', () => {
  it('gets the decision all the same', async () => {
    const service = await startService();
    const [wrong, right] = [await service.connectAs('ann'), await service.connectAs('ann')];
    service.ask({ message: '?' }, 'ann', 'task', 1);
    const { callback_id } = await wrong.next('task_step_result');
    // Between the reading of the prompt and the reply, the other device decides, and the decision is emitted.
    const store = service.app.get<ConfirmationStore>(ConfirmationStore);
    const get = store.get.bind(store);
    store.get = async (callbackId) => {
      const prompt = await get(callbackId);
      store.get = get;
      await right.request({ action: 'confirm', callback_id, proceed: false });
      return prompt;
    };
    const reply = await wrong.request({ action: 'confirm', callback_id, proceed: true, choice: 'none' });
    expect(reply).toMatchObject({ code: 'INVALID_ANSWER' });
    expect(await wrong.next('confirmation_resolved')).toMatchObject({ callback_id, outcome: 'answered', proceed: false });
    await service.stop();
  });
});

describe('a connection that comes while the engine is away', () => {
  let service: TestService;
  let fail: boolean;
  beforeEach(async () => {
    service = await startService();
    const broker = service.app.get<Broker>(Broker);
    const watch = broker.watch.bind(broker);
    broker.watch = (channel) => (fail ? Promise.reject(new EngineUnavailableError('not now')) : watch(channel));
    fail = true;
  });
  afterEach(() => service.stop());

  it('is shown no prompt before its subscriptions stand, and stays', async () => {
    const client = await service.connect();
    const listed = client.request({ action: 'pending' });
    const pong = client.request({ action: 'ping' });
    for (let turn = 0; turn < 3; turn += 1) {
      client.socket.ping();
      await once(client.socket, 'pong'); // what was sent before has been read
    }
    expect(client.received).toEqual([]);
    const asked = service.notifications.notifyUser({ message: '?' }, 'ann', 'task', 1);
    await service.app.get<Engine>(Engine).ping();
    fail = false;
    // Asked before it saw what happens live: it is in the list.
    expect(await listed).toMatchObject({ confirmations: [{ user_id: 'ann' }] });
    await pong;
    const { callback_id } = await client.next('task_step_result');
    await client.request({ action: 'confirm', callback_id, proceed: true });
    expect(await asked).toMatchObject({ proceed: true });
  });

  it('is closed, without a message, when its subscriptions cannot be made', async () => {
    const client = await service.connect();
    client.send({ action: 'subscribe', user_id: 'ann' });
    expect(await client.closed()).toMatchObject({ code: 1011 });
    expect(client.received).toEqual([]);
  });
});
