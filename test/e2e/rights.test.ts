/** What rests on a right ends with it: subscriptions, long polls and connections, on every node. */
import type { Authenticator } from '../../src/notification/index.js';
import type { TestClient } from '../support/client.js';
import { describeEngines } from '../support/engines.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startService, type TestService } from '../support/service.js';

const KEY = 'an-api-key-of-a-service';
const byKey = { 'x-api-key': KEY };

interface Policy {
  channels: Set<string>;
  /** Deputy -> whom they act for. */
  deputies: Map<string, string[]>;
  broken: boolean;
}

function newPolicy(): Policy {
  return { channels: new Set(), deputies: new Map(), broken: false };
}

function start(policy: Policy, environment: Record<string, string>, accessReviewMs?: number): Promise<TestService> {
  const ask = async <T>(answer: T): Promise<T> => {
    if (policy.broken) throw new Error('the database of rights is away');
    return Promise.resolve(answer);
  };
  return startService({
    environment: {
      ...JWT_SETTINGS,
      WEBSOCKET_API_KEYS: KEY,
      ...environment,
    },
    options: {
      accessReviewMs,
      accessPolicy: {
        maySubscribe: (_userId, channel) => ask(policy.channels.has(channel)),
        actsFor: (userId) => ask(policy.deputies.get(userId) ?? []),
      },
    },
  });
}

const connectAs = async (service: TestService, userId: string, lives = 60): Promise<TestClient> =>
  service.connect({ headers: { authorization: `Bearer ${await tokenOf(userId, { lives })}` } });

const subscribe = async (client: TestClient, target: object): Promise<void> => {
  expect(await client.request({ action: 'subscribe', ...target })).toMatchObject({ type: 'subscription_confirmed' });
};

describeEngines('a right that ends', (engine) => {
  let policy: Policy;
  let service: TestService;
  /** Another node where the engine has several; the same one otherwise. */
  let other: TestService;
  beforeAll(async () => {
    await engine.start();
    policy = newPolicy();
    service = await start(policy, engine.environment());
    other = 'WEBSOCKET_ENGINE' in engine.environment() ? await start(policy, engine.environment()) : service;
  });
  afterAll(async () => {
    if (other !== service) await other.stop();
    await service.stop();
    await engine.stop();
  });
  beforeEach(() => {
    policy.broken = false;
    policy.channels = new Set(['team', 'board', 'news']);
    policy.deputies.clear();
  });

  /** The connection hears nothing more on the channel, and still gets what is its user's. */
  async function hearsNoMore(client: TestClient, userId: string, channel: string): Promise<void> {
    await service.notifications.publish(channel, { type: 'secret' });
    await service.notifications.sendToUser(userId, { type: 'own' });
    await client.next('own');
    expect(client.received.filter(({ type }) => type === 'secret')).toEqual([]);
  }

  it('is reviewed by reviewAccess on every node, and only what is refused ends', async () => {
    policy.deputies.set('dora', ['olaf']);
    await service.notifications.openConfirmation({ stepResult: { message: '?' }, userId: 'olaf', taskId: 'olafs', step: 1 });
    const clients = [await connectAs(service, 'dora'), await connectAs(other, 'dora')];
    const stranger = await connectAs(other, 'sue');
    for (const client of clients) {
      await subscribe(client, { channel: 'team' });
      await subscribe(client, { channel: 'news' });
      await subscribe(client, { task_id: 'olafs' });
    }
    await subscribe(stranger, { channel: 'team' });
    policy.channels.delete('team');
    policy.deputies.clear();
    await service.notifications.reviewAccess('dora');
    for (const client of clients) {
      expect(await client.next({ type: 'unsubscribed', channel: 'team' })).toMatchObject({ reason: 'forbidden' });
      expect(await client.next({ type: 'unsubscribed', channel: 'task:olafs' })).toMatchObject({ reason: 'forbidden' });
      await hearsNoMore(client, 'dora', 'team');
      await hearsNoMore(client, 'dora', 'task:olafs');
    }
    await service.notifications.publish('news', { type: 'headline' });
    for (const client of clients) await client.next('headline');
    // Nobody asked for this user's rights to be reviewed.
    await stranger.next('secret');
    expect(stranger.pendingFrames('unsubscribed')).toEqual([]);
  });

  it('is reviewed by POST /ws/users/:user_id/review, which only services may call', async () => {
    const client = await connectAs(other, 'rita');
    await subscribe(client, { channel: 'board' });
    policy.channels.delete('board');
    const bearer = { authorization: `Bearer ${await tokenOf('rita')}` };
    expect((await service.rest('POST', '/ws/users/rita/review', {}, bearer)).status).toBe(403);
    expect(await service.rest('POST', '/ws/users/rita/review', {}, byKey)).toMatchObject({
      status: 200,
      body: { user_id: 'rita' },
    });
    await client.next({ type: 'unsubscribed', channel: 'board', reason: 'forbidden' });
    await hearsNoMore(client, 'rita', 'board');
  });

  it('is reviewed when the token is renewed, before the reply', async () => {
    const client = await connectAs(service, 'rene');
    await subscribe(client, { channel: 'team' });
    policy.channels.delete('team');
    expect(await client.request({ action: 'authenticate', token: await tokenOf('rene') })).toMatchObject({
      type: 'authenticated',
    });
    expect(client.received.map(({ type }) => type)).toEqual(['subscription_confirmed', 'unsubscribed', 'authenticated']);
    await hearsNoMore(client, 'rene', 'team');
  });

  it('ends a subscription that stands when a second subscribe to it is refused', async () => {
    policy.deputies.set('dave', ['otto']);
    await service.notifications.openConfirmation({ stepResult: { message: '?' }, userId: 'otto', taskId: 'ottos', step: 1 });
    const client = await connectAs(service, 'dave');
    await subscribe(client, { channel: 'team' });
    await subscribe(client, { channels: [{ channel: 'task:ottos' }] });
    policy.channels.delete('team');
    policy.deputies.clear();
    expect(await client.request({ action: 'subscribe', channel: 'team' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await client.request({ action: 'subscribe', task_id: 'ottos' })).toMatchObject({ code: 'NOT_FOUND' });
    await hearsNoMore(client, 'dave', 'team');
    await hearsNoMore(client, 'dave', 'task:ottos');
    expect(client.pendingFrames('unsubscribed')).toMatchObject([{ channel: 'team' }, { channel: 'task:ottos' }]);
  });

  it('counts as refused while the policy fails, and the rest of the connection goes on', async () => {
    const client = await connectAs(service, 'paul');
    await subscribe(client, { channel: 'team' });
    policy.broken = true;
    await service.notifications.reviewAccess('paul');
    await client.next({ type: 'unsubscribed', channel: 'team', reason: 'unavailable' });
    expect(await client.request({ action: 'subscribe', channel: 'team' })).toMatchObject({ code: 'UNAVAILABLE' });
    await hearsNoMore(client, 'paul', 'team');
    policy.broken = false;
    await subscribe(client, { channel: 'team' });
  });

  it('ends a long poll with 401 when its user is revoked or its token ends, and the poll never brings the answer', async () => {
    const poll = async (
      userId: string,
      lives: number,
    ): Promise<{ callbackId: string; answer: ReturnType<TestService['rest']> }> => {
      const request = { stepResult: { message: '?' }, userId, taskId: `task-${userId}`, step: 1 };
      const { confirmation } = await service.notifications.openConfirmation(request);
      const { callbackId } = confirmation;
      const headers = { authorization: `Bearer ${await tokenOf(userId, { lives })}` };
      return { callbackId, answer: other.rest('GET', `/ws/confirmations/${callbackId}?wait=30`, undefined, headers) };
    };
    const [revoked, expiring] = [await poll('lena', 60), await poll('lars', 1)];
    const worker = await tokenOf('worker', { scope: 'notification:service' });
    const asking = other.rest(
      'POST',
      '/ws/confirmations?wait=30',
      { user_id: 'lena', task_id: 'task-lena', step: 2, step_result: { message: '?' } },
      { authorization: `Bearer ${worker}` },
    );
    const sending = other.rest(
      'POST',
      '/ws/users/lena/messages?requires_ack=true&wait=30',
      { type: 'x' },
      { authorization: `Bearer ${worker}` },
    );
    const inbox = async (): Promise<number> =>
      (await service.notifications.listConfirmations({ userId: 'lena', limit: 10 })).items.length;
    while ((await inbox()) < 2) await new Promise(setImmediate);
    await service.notifications.revokeUser('lena');
    await service.notifications.revokeUser('worker');
    for (const ended of [revoked.answer, expiring.answer, asking, sending])
      expect(await ended).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
    for (const { callbackId } of [revoked, expiring])
      expect(await service.notifications.getConfirmation(callbackId)).toMatchObject({ state: 'pending' });
  });

  it('ends a deputy’s long poll with 404 when the policy names the owner no more', async () => {
    policy.deputies.set('dirk', ['olga']);
    const { confirmation } = await service.notifications.openConfirmation({
      stepResult: { message: '?' },
      userId: 'olga',
      taskId: 'olgas',
      step: 1,
    });
    const headers = { authorization: `Bearer ${await tokenOf('dirk')}` };
    const path = `/ws/confirmations/${confirmation.callbackId}`;
    expect((await other.rest('GET', path, undefined, headers)).status).toBe(200);
    const lost = other.rest('GET', `${path}?wait=30`, undefined, headers);
    policy.deputies.clear();
    const timer = setInterval(() => void service.notifications.reviewAccess('dirk'), 20);
    expect((await lost).status).toBe(404);
    clearInterval(timer);
  });

  it('ends nothing while everything is still allowed', async () => {
    const client = await connectAs(other, 'kim');
    await subscribe(client, { channel: 'team' });
    const { confirmation } = await service.notifications.openConfirmation({
      stepResult: { message: '?' },
      userId: 'kim',
      taskId: 'kims',
      step: 1,
    });
    const headers = { authorization: `Bearer ${await tokenOf('kim')}` };
    const poll = other.rest('GET', `/ws/confirmations/${confirmation.callbackId}?wait=30`, undefined, headers);
    await service.notifications.reviewAccess('kim');
    await service.notifications.publish('team', { type: 'heard' });
    await client.next('heard');
    await service.notifications.answer(confirmation.callbackId, { userId: 'kim' }, { proceed: true });
    expect(await poll).toMatchObject({ status: 200, body: { state: 'answered', proceed: true } });
    expect(client.pendingFrames('unsubscribed')).toEqual([]);
  });
});

describe('a long connection', () => {
  it('has its rights reviewed periodically', async () => {
    const policy = newPolicy();
    policy.channels.add('team');
    const service = await start(policy, {}, 200);
    const client = await connectAs(service, 'ann');
    await subscribe(client, { channel: 'team' });
    policy.channels.clear();
    await client.next({ type: 'unsubscribed', channel: 'team', reason: 'forbidden' });
    await service.stop();
  });
});

describe('too many calls that wait', () => {
  it('are refused for one user with 429, and others go on', async () => {
    const authenticator: Authenticator = { authenticate: (token) => Promise.resolve({ userId: token }) };
    const service = await startService({ options: { authenticator } });
    const poll = async (userId: string, signal?: AbortSignal): Promise<number> => {
      const { confirmation } = await service.notifications.openConfirmation({
        stepResult: { message: '?' },
        userId,
        taskId: userId,
        step: 1,
        key: 'one',
      });
      const response = await fetch(`${service.url}/ws/confirmations/${confirmation.callbackId}?wait=${signal ? 60 : 0.01}`, {
        headers: { authorization: `Bearer ${userId}` },
        signal,
      });
      return response.status;
    };
    const end = new AbortController();
    let refused = 0;
    const polls = Array.from({ length: 120 }, () =>
      poll('ann', end.signal)
        .then((status) => (refused += Number(status === 429)))
        .catch(() => undefined),
    );
    while (refused < 20) await new Promise(setImmediate);
    expect([await poll('ann'), await poll('bob')]).toEqual([429, 200]);
    end.abort();
    await Promise.all(polls);
    expect(refused).toBe(20);
    await service.stop();
  });
});
