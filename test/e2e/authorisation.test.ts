/**
 * Nobody sees, answers or cancels what is not theirs: every action and every route of the policy × who asks × whose thing.
 * The matrix is made from the policy's own table: a way in that is added there and not here fails.
 */
import { POLICY, type Operation } from '../../src/notification/access/access.js';
import type { TestClient } from '../support/client.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { describeEngines } from '../support/engines.js';
import { NotificationActions } from '../../src/notification/notification.actions.js';
import { startService, type TestService } from '../support/service.js';

const KEY = 'an-api-key-of-a-service';
const ACTORS = ['owner', 'deputy', 'stranger', 'nobody', 'key', 'service token'] as const;
type Actor = (typeof ACTORS)[number];
/** The thing that is asked for: the owner's, already decided, or none that exists. */
const THINGS = ['own', 'resolved', 'unknown'] as const;
type Thing = (typeof THINGS)[number];

interface Target {
  callbackId: string;
  messageId: string;
  taskId: string;
  userId: string;
}

describeEngines('authorisation', (engine) => {
  let service: TestService;
  let tokens: Record<Actor, string | undefined>;
  const clients = new Map<Actor, TestClient>();

  beforeAll(async () => {
    await engine.start();
    service = await startService({
      environment: {
        ...engine.environment(),
        ...JWT_SETTINGS,
        WEBSOCKET_API_KEYS: KEY,
        WEBSOCKET_AUTH_FAILURES: '100000',
        WEBSOCKET_DOCS: 'on',
      },
      options: {
        authenticationTimeoutMs: 600_000,
        accessPolicy: {
          actsFor: (userId) => Promise.resolve(userId === 'deputy' ? ['owner'] : []),
          maySubscribe: (userId, channel) => Promise.resolve(userId === 'owner' && channel === 'team'),
        },
      },
    });
    tokens = {
      owner: await tokenOf('owner', { lives: 3600 }),
      deputy: await tokenOf('deputy', { lives: 3600 }),
      stranger: await tokenOf('stranger', { lives: 3600 }),
      nobody: undefined,
      key: KEY,
      'service token': await tokenOf('worker', { lives: 3600, scope: 'other notification:service' }),
    };
    for (const actor of ['owner', 'deputy', 'stranger'] as const) {
      const token = tokens[actor];
      clients.set(actor, await service.connect(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }));
    }
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
  });

  let serial = 0;

  /** Something of the owner's to ask for. */
  async function make(thing: Thing): Promise<Target> {
    const name = `${++serial}`;
    if (thing === 'unknown')
      return { callbackId: `none-${name}`, messageId: `none-${name}`, taskId: `none-${name}`, userId: 'owner' };
    const taskId = `task-${name}`;
    const { confirmation } = await service.notifications.openConfirmation({
      stepResult: { message: 'secret?' },
      userId: 'owner',
      taskId,
      step: 1,
    });
    const { messageId = '' } = await service.notifications.sendToUser('owner', { type: 'invoice' }, { requiresAck: true });
    if (thing === 'resolved') {
      await service.notifications.answer(confirmation.callbackId, { userId: 'owner' }, { proceed: true, feedback: 'first' });
      await service.app.get(NotificationActions).acknowledge(messageId, 'all');
    }
    return { callbackId: confirmation.callbackId, messageId, taskId, userId: 'owner' };
  }

  const body = { type: 'x' };
  const question = (target: Target): object => ({
    user_id: target.userId,
    task_id: target.taskId,
    step: 1,
    step_result: { message: 'Go on?' },
  });

  /** Tries each operation. Resolves with the HTTP status; over WebSocket with 200, or the status of the error's code. */
  const ATTEMPTS: Record<Operation, (actor: Actor, target: Target) => Promise<number | undefined>> = {
    'ws.ping': (actor) => frame(actor, { action: 'ping' }),
    'ws.subscribe': (actor, { taskId }) => frame(actor, { action: 'subscribe', task_id: taskId }),
    'ws.unsubscribe': (actor, { taskId }) => frame(actor, { action: 'unsubscribe', task_id: taskId }),
    'ws.confirm': (actor, { callbackId }) => frame(actor, { action: 'confirm', callback_id: callbackId, proceed: false }),
    'ws.cancel': (actor, { taskId, userId }) => frame(actor, { action: 'cancel', user_id: userId, task_id: taskId }),
    'ws.ack': (actor, { messageId }) => frame(actor, { action: 'ack', message_id: messageId }),
    'ws.authenticate': (actor) => frame(actor, { action: 'authenticate', token: 'nonsense' }),
    'ws.pending': (actor) => frame(actor, { action: 'pending' }),
    'ws.seen': (actor, { callbackId }) => frame(actor, { action: 'seen', callback_id: callbackId }),
    'ws.dismiss': (actor, { callbackId }) => frame(actor, { action: 'dismiss', callback_id: callbackId }),
    'status.read': (actor) => rest(actor, 'GET', '/ws/status'),
    'metrics.read': (actor) => rest(actor, 'GET', '/metrics'),
    'broadcast.send': (actor) => rest(actor, 'POST', '/ws/broadcast', body),
    'user.read': (actor, { userId }) => rest(actor, 'GET', `/ws/users/${userId}`),
    'user.send': (actor, { userId }) => rest(actor, 'POST', `/ws/users/${userId}/messages`, body),
    'user.inbox': (actor, { userId }) => rest(actor, 'GET', `/ws/users/${userId}/confirmations`),
    'user.revoke': (actor) => rest(actor, 'POST', '/ws/users/somebody/revoke', {}),
    'user.review': (actor) => rest(actor, 'POST', '/ws/users/somebody/review', {}),
    'confirmation.open': (actor, target) => rest(actor, 'POST', '/ws/confirmations', question(target)),
    'confirmation.list': (actor) => rest(actor, 'GET', '/ws/confirmations'),
    'confirmation.read': (actor, { callbackId }) => rest(actor, 'GET', `/ws/confirmations/${callbackId}`),
    'confirmation.answer': (actor, { callbackId }) =>
      rest(actor, 'POST', `/ws/confirmations/${callbackId}/answer`, { proceed: false }),
    'confirmation.dismiss': (actor, { callbackId }) => rest(actor, 'POST', `/ws/confirmations/${callbackId}/dismiss`, {}),
    'confirmation.seen': (actor, { callbackId }) => rest(actor, 'POST', `/ws/confirmations/${callbackId}/seen`, {}),
    'confirmation.withdraw': (actor, { callbackId }) => rest(actor, 'DELETE', `/ws/confirmations/${callbackId}`),
    'task.read': (actor, { taskId }) => rest(actor, 'GET', `/ws/tasks/${taskId}`),
    'task.send': (actor, { taskId }) => rest(actor, 'POST', `/ws/tasks/${taskId}/messages`, body),
    'task.heartbeat': (actor, { taskId }) => rest(actor, 'DELETE', `/ws/tasks/${taskId}/heartbeat`),
    'task.cancel': (actor, { taskId }) => rest(actor, 'POST', `/ws/tasks/${taskId}/cancel`, {}),
    'task.resume': (actor, { taskId }) => rest(actor, 'DELETE', `/ws/tasks/${taskId}/cancel`),
  };

  /** @returns `undefined` for services, which are tried by REST only */
  async function frame(actor: Actor, message: object): Promise<number | undefined> {
    // Without a token a connection is closed after some refusals.
    const client = actor === 'nobody' ? await service.connect() : clients.get(actor);
    const reply = await client?.request(message);
    if (!reply) return undefined;
    const statuses: Record<string, number> = { UNAUTHENTICATED: 401, FORBIDDEN: 403, NOT_FOUND: 404, ALREADY_RESOLVED: 409 };
    return reply.type === 'error' ? (statuses[String(reply['code'])] ?? 400) : 200;
  }

  async function rest(actor: Actor, method: string, path: string, content?: object): Promise<number> {
    const token = tokens[actor];
    const headers: Record<string, string> =
      token === undefined ? {} : actor === 'key' ? { 'x-api-key': token } : { authorization: `Bearer ${token}` };
    return (await service.rest(method, path, content, headers)).status;
  }

  /** The statuses that are right, written down independently of the policy. */
  function expected(operation: Operation, actor: Actor, thing: Thing): number[] {
    const isService = actor === 'key' || actor === 'service token';
    const mayTouch = isService || actor === 'owner' || actor === 'deputy';
    const exists = thing !== 'unknown';
    if (operation === 'ws.authenticate') return [401];
    if (actor === 'nobody') return [401];
    switch (operation) {
      case 'ws.ping':
      case 'ws.pending':
      case 'ws.unsubscribe':
        return [200];
      case 'ws.subscribe':
      case 'task.read':
      case 'ws.ack':
        return mayTouch && exists ? [200] : [404];
      case 'ws.cancel':
        return mayTouch && exists ? [200] : [404];
      case 'task.cancel':
        return isService ? [200] : mayTouch && exists ? [200] : [404];
      case 'ws.confirm':
      case 'ws.dismiss':
      case 'confirmation.dismiss':
      case 'confirmation.answer':
        return !mayTouch || !exists ? [404] : thing === 'resolved' ? [409] : [200];
      case 'ws.seen':
      case 'confirmation.seen':
      case 'confirmation.read':
        return mayTouch && exists ? [200] : [404];
      case 'user.read':
      case 'user.inbox':
        return mayTouch ? [200] : [404];
      case 'confirmation.withdraw':
        return !isService ? [403] : !exists ? [404] : thing === 'resolved' ? [409] : [200];
      case 'confirmation.open':
        return isService ? [201] : [403];
      case 'task.resume':
        return !isService ? [403] : exists ? [200] : [404];
      default:
        return isService ? [200, 202, 204] : [403];
    }
  }

  const cells = (Object.keys(POLICY) as Operation[]).flatMap((operation) => THINGS.map((thing) => ({ operation, thing })));

  it.each(cells)('answers $operation of something $thing with the right status for every actor', async ({ operation, thing }) => {
    for (const actor of ACTORS) {
      const status = await ATTEMPTS[operation](actor, await make(thing));
      if (status === undefined) continue;
      const right = expected(operation, actor, thing);
      expect({ actor, status }).toEqual({ actor, status: right.find((one) => one === status) ?? right });
    }
  });

  it('every route of the service has a policy', async () => {
    const { paths } = (await service.rest('GET', '/docs-json')).body as unknown as {
      paths: Record<string, Record<string, object>>;
    };
    const open = ['/health/live', '/health/ready', '/ws/health'];
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const response = await service.rest(
          method.toUpperCase(),
          path.replaceAll(/\{\w+\}/g, 'x'),
          method === 'post' ? {} : undefined,
        );
        expect({ path, method, status: response.status }).toEqual({ path, method, status: open.includes(path) ? 200 : 401 });
      }
    }
  });

  it('answers for another user’s prompt and for an unknown one with the same bytes', async () => {
    const { callbackId } = await make('own');
    const stranger = clients.get('stranger') as TestClient;
    const answers: string[] = [];
    for (const callback_id of [callbackId, callbackId.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]) {
      const reply = await stranger.request({ action: 'confirm', callback_id, proceed: true });
      const { status, body: error } = await service.rest('GET', `/ws/confirmations/${callback_id}`, undefined, {
        authorization: `Bearer ${String(tokens.stranger)}`,
      });
      answers.push(JSON.stringify([{ ...reply, request_id: 0, timestamp: 0 }, status, error]).replaceAll(callback_id, 'ID'));
    }
    expect(answers[0]).toBe(answers[1]);
  });

  it('lets a deputy answer for the users that the policy names, in the deputy’s own name', async () => {
    const { callbackId } = await make('own');
    const deputy = clients.get('deputy') as TestClient;
    expect(await deputy.request({ action: 'subscribe', user_id: 'owner' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await deputy.request({ action: 'confirm', callback_id: callbackId, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await service.notifications.getConfirmation(callbackId)).toMatchObject({
      decision: { answeredBy: 'deputy', proceed: true },
    });
  });

  it('opens a named channel to the users that the policy admits', async () => {
    expect(await clients.get('owner')?.request({ action: 'subscribe', channel: 'team' })).toMatchObject({
      type: 'subscription_confirmed',
    });
    expect(await clients.get('owner')?.request({ action: 'subscribe', channel: 'board' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await clients.get('stranger')?.request({ action: 'subscribe', channel: 'team' })).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('sends a stranger nothing of the owner’s', async () => {
    const stranger = clients.get('stranger') as TestClient;
    const before = stranger.received.length;
    const { taskId } = await make('own');
    await service.notifications.sendToUser('owner', { type: 'private' });
    await service.notifications.sendToTask(taskId, { type: 'private' });
    await service.notifications.cancelTask(taskId);
    await stranger.settled();
    expect(stranger.received.slice(before).map(({ type }) => type)).toEqual(['pong']);
  });
});
