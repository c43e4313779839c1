/** Every route of docs/rest.md on the real service, with a real WebSocket beside it. */
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

let serial = 0;
const fresh = (name: string): string => `${name}-${++serial}`;
const question = (user_id: string, task_id: string, more: object = {}): object => ({
  user_id,
  task_id,
  step: 1,
  step_result: { step: 'deploy', message: 'Deploy?', status: 'waiting' },
  ...more,
});

describe('GET /ws/status', () => {
  it('shows this node and the cluster', async () => {
    const client = await service.connect();
    const { status, body } = await service.rest('GET', '/ws/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      running: true,
      host: '127.0.0.1',
      port: expect.any(Number),
      active_connections: expect.any(Number),
      pending_callbacks: expect.any(Number),
      cluster: { engine: 'embedded', nodes: 1, active_connections: expect.any(Number) },
    });
    await client.close();
  });
});

describe('POST /ws/broadcast', () => {
  it('reaches everybody and says how many', async () => {
    const [one, two] = [await service.connect(), await service.connectAs(fresh('user'))];
    const { status, body } = await service.rest('POST', '/ws/broadcast', { type: 'maintenance', in: 5 });
    expect(status).toBe(202);
    expect(body['delivered_to']).toBeGreaterThanOrEqual(2);
    await one.next('maintenance');
    expect(await two.next('maintenance')).toMatchObject({ in: 5 });
  });

  it.each([
    ['no type', { in: 5 }, 'type'],
    ['a reserved field', { type: 'x', channel: 'y' }, 'channel'],
    ['an array', [], '(body)'],
  ])('refuses %s by name', async (_what, message, field) => {
    const { status, body } = await service.rest('POST', '/ws/broadcast', message);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'INVALID_MESSAGE', message: expect.any(String), fields: { [field]: expect.any(String) } });
  });

  it('refuses a body that is no JSON', async () => {
    const { status, body } = await service.rest('POST', '/ws/broadcast', '{"type":');
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'INVALID_JSON' });
  });
});

describe('users', () => {
  it('sends a message to a user', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const { status, body } = await service.rest('POST', `/ws/users/${user}/messages`, { type: 'hello', n: 1 });
    expect([status, body['delivered_to']]).toEqual([202, expect.any(Number)]);
    expect(await client.next('hello')).toMatchObject({ n: 1, target_user_id: user, channel: `user:${user}`, offset: 1 });
  });

  it('waits for an acknowledgement when asked to', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const sent = service.rest('POST', `/ws/users/${user}/messages?requires_ack=true&wait=10`, { type: 'invoice' });
    const { message_id } = await client.next('invoice');
    client.send({ action: 'ack', message_id });
    expect(await sent).toMatchObject({ status: 202, body: { message_id, acknowledged: true } });
    const unseen = await service.rest('POST', `/ws/users/${fresh('user')}/messages?requires_ack=true`, { type: 'invoice' });
    expect(unseen.body).toEqual({ delivered_to: expect.any(Number), message_id: expect.any(String) });
  });

  it('refuses a query it does not know, by name', async () => {
    const { status, body } = await service.rest('POST', '/ws/users/u/messages?require_ack=true', { type: 'x' });
    expect([status, body]).toMatchObject([400, { fields: { require_ack: expect.any(String) } }]);
  });

  it('shows the presence', async () => {
    const user = fresh('user');
    expect((await service.rest('GET', `/ws/users/${user}`)).body).toMatchObject({ user_id: user, connections: 0, online: false });
    await service.connectAs(user);
    expect((await service.rest('GET', `/ws/users/${user}`)).body).toMatchObject({ connections: 1, online: true });
  });

  it('shows the inbox, by state and task, page by page', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    for (let step = 0; step < 3; step += 1) await service.rest('POST', '/ws/confirmations', question(user, task, { title: 'T' }));
    await service.rest('POST', '/ws/confirmations', question(user, fresh('task')));
    const all = await service.rest('GET', `/ws/users/${user}/confirmations`);
    expect(all.body['confirmations']).toHaveLength(4);
    const first = await service.rest('GET', `/ws/users/${user}/confirmations?task_id=${task}&limit=2`);
    expect(first.body['confirmations']).toMatchObject([
      { state: 'pending', title: 'T', message: 'Deploy?', task_id: task },
      { task_id: task },
    ]);
    const rest = await service.rest(
      'GET',
      `/ws/users/${user}/confirmations?task_id=${task}&limit=2&cursor=${encodeURIComponent(String(first.body['cursor']))}`,
    );
    expect(rest.body['confirmations']).toHaveLength(1);
    expect((await service.rest('GET', `/ws/users/${user}/confirmations?state=answered`)).body['confirmations']).toEqual([]);
    expect((await service.rest('GET', `/ws/users/${user}/confirmations?state=maybe`)).status).toBe(400);
  });
});

describe('confirmations', () => {
  it('asks, and answers when the user has', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const asked = service.rest('POST', '/ws/confirmations?wait=30', question(user, fresh('task')));
    const { callback_id } = await client.next('task_step_result');
    client.send({ action: 'confirm', callback_id, proceed: true, feedback: 'ok' });
    expect(await asked).toMatchObject({
      status: 201,
      body: {
        callback_id,
        state: 'answered',
        user_id: user,
        step: 1,
        proceed: true,
        feedback: 'ok',
        answered_by: user,
        answered_at: expect.any(Number),
      },
    });
  });

  it('re-attaches by Idempotency-Key, and refuses other contents', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const key = { 'idempotency-key': 'k1' };
    const first = await service.rest('POST', '/ws/confirmations', question(user, task), key);
    const again = await service.rest('POST', '/ws/confirmations', question(user, task, { timeout: 5 }), key);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    const other = await service.rest('POST', '/ws/confirmations', question(user, task, { title: 'other' }), key);
    expect([other.status, other.body]).toMatchObject([
      422,
      {
        code: 'CONFLICT',
        message: 'Idempotency-Key: already used with other contents',
        fields: { 'Idempotency-Key': 'already used with other contents' },
      },
    ]);
    const somebodyElses = await service.rest('POST', '/ws/confirmations', question(fresh('user'), task), key);
    expect(somebodyElses.status).toBe(201);
  });

  it('is refused with the names and the units of the caller', async () => {
    const bad = question(fresh('user'), fresh('task'), { timeout: 1e10 });
    expect(await service.rest('POST', '/ws/confirmations', bad)).toMatchObject({
      status: 400,
      body: { fields: { timeout: 'must not be greater than 1000000000' } },
    });
    expect(await service.rest('POST', '/ws/broadcast', ['x'])).toMatchObject({
      status: 400,
      body: { fields: { '(body)': 'must be a JSON object' } },
    });
  });

  it('long-polls, answers by HTTP, repeats the same answer, and refuses another', async () => {
    const user = fresh('user');
    const opened = await service.rest('POST', '/ws/confirmations', question(user, fresh('task')));
    const path = `/ws/confirmations/${String(opened.body['callback_id'])}`;
    expect((await service.rest('GET', path)).body).toMatchObject({ state: 'pending' });
    const polled = service.rest('GET', `${path}?wait=30`);
    expect(await service.rest('POST', `${path}/answer`, { proceed: true })).toMatchObject({
      status: 200,
      body: { state: 'answered', proceed: true },
    });
    expect((await polled).body).toMatchObject({ state: 'answered', proceed: true });
    expect((await service.rest('POST', `${path}/answer`, { proceed: true })).status).toBe(200);
    expect(await service.rest('POST', `${path}/answer`, { proceed: false })).toMatchObject({
      status: 409,
      body: { code: 'ALREADY_RESOLVED', confirmation: { state: 'answered', proceed: true } },
    });
    expect((await service.rest('DELETE', path)).status).toBe(409);
  });

  it('stops a poll after its time', async () => {
    const opened = await service.rest('POST', '/ws/confirmations?wait=0.05', question(fresh('user'), fresh('task')));
    expect(opened).toMatchObject({ status: 201, body: { state: 'pending' } });
  });

  it('withdraws, and takes the prompt from the devices', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const opened = await service.rest('POST', '/ws/confirmations', question(user, fresh('task')));
    const callback_id = opened.body['callback_id'];
    await client.next('task_step_result');
    expect(await service.rest('DELETE', `/ws/confirmations/${String(callback_id)}`)).toMatchObject({
      status: 200,
      body: { state: 'withdrawn', proceed: false },
    });
    expect(await client.next('confirmation_resolved')).toMatchObject({ callback_id, outcome: 'withdrawn', proceed: false });
    expect((await service.rest('DELETE', `/ws/confirmations/${String(callback_id)}`)).status).toBe(200);
  });

  it('answers NOT_FOUND for an unknown id on every route', async () => {
    for (const [method, path, body] of [
      ['GET', '/ws/confirmations/none', undefined],
      ['POST', '/ws/confirmations/none/answer', { proceed: true }],
      ['DELETE', '/ws/confirmations/none', undefined],
    ] as const) {
      expect(await service.rest(method, path, body)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });

  it('checks an answer against the form', async () => {
    const schema = { type: 'object', properties: { mail: { type: 'string', format: 'email' } }, required: ['mail'] };
    const opened = await service.rest(
      'POST',
      '/ws/confirmations',
      question(fresh('user'), fresh('task'), { input_schema: schema }),
    );
    const path = `/ws/confirmations/${String(opened.body['callback_id'])}/answer`;
    expect(await service.rest('POST', path, { proceed: true, values: { mail: 'nope' } })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_ANSWER', fields: { 'values.mail': expect.any(String) } },
    });
    expect(await service.rest('POST', path, { proceed: true, values: { mail: 'a@b.example' } })).toMatchObject({
      status: 200,
      body: { values: { mail: 'a@b.example' } },
    });
  });

  it.each([
    ['a missing user_id', { user_id: undefined }, 'user_id'],
    ['a step of another type', { step: 'one' }, 'step'],
    ['a missing step_result', { step_result: undefined }, 'step_result'],
    ['a nested field of another type', { step_result: { message: 5 } }, 'step_result.message'],
    ['an error_code of another type', { step_result: { error_code: {} } }, 'step_result.error_code'],
    ['a negative timeout', { timeout: -1 }, 'timeout'],
    ['a misspelt option', { on_timout: 'abort' }, 'on_timout'],
    ['an unknown on_timeout', { on_timeout: 'maybe' }, 'on_timeout'],
    ['an irreversible yes by default', { risk: 'irreversible', on_timeout: 'proceed' }, 'on_timeout'],
    [
      'two choices of the same id',
      {
        choices: [
          { id: 'a', label: 'A', proceed: true },
          { id: 'a', label: 'B', proceed: false },
        ],
      },
      'choices',
    ],
    ['no choices', { choices: [] }, 'choices'],
    [
      'a nested schema',
      { input_schema: { type: 'object', properties: { a: { type: 'object' } } } },
      'input_schema.properties.a.type',
    ],
    [
      'an unsupported keyword',
      { input_schema: { type: 'object', properties: { a: { type: 'string', not: {} } } } },
      'input_schema',
    ],
    ['metadata too large', { metadata: { x: 'x'.repeat(8200) } }, 'metadata'],
  ])('refuses %s by name', async (_what, change, field) => {
    const { status, body } = await service.rest('POST', '/ws/confirmations', question('u', 't', change));
    expect([status, body]).toMatchObject([400, { code: 'INVALID_MESSAGE' }]);
    expect(Object.keys(body['fields'] ?? {})).toContain(field);
  });

  it('waits for ever with timeout null', async () => {
    const opened = await service.rest('POST', '/ws/confirmations', question(fresh('user'), fresh('task'), { timeout: null }));
    expect(opened.body).toMatchObject({ state: 'pending', expires_at: null });
  });
});

describe('tasks', () => {
  it('sends messages to a task’s subscribers and user', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    await service.rest('POST', '/ws/confirmations', question(user, task));
    const [owner, subscriber] = [await service.connectAs(user), await service.connectAs(fresh('user'))];
    await subscriber.request({ action: 'subscribe', task_id: task });
    const { status } = await service.rest('POST', `/ws/tasks/${task}/messages`, { type: 'task_log', line: 'x' });
    expect(status).toBe(202);
    await owner.next('task_log');
    await subscriber.next('task_log');
  });

  it('leases a heartbeat', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const client = await service.connectAs(user);
    expect(await service.rest('POST', `/ws/tasks/${task}/heartbeat`, { user_id: user, interval: 0.1, ttl: 60 })).toMatchObject({
      status: 202,
    });
    await client.next('heartbeat');
    await client.next('heartbeat');
    expect((await service.rest('DELETE', `/ws/tasks/${task}/heartbeat`)).status).toBe(204);
    expect((await service.rest('POST', `/ws/tasks/${task}/heartbeat`, {})).status).toBe(400);
  });

  it('cancels, shows the state, resumes', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    expect((await service.rest('GET', `/ws/tasks/${task}`)).status).toBe(404);
    await service.rest('POST', '/ws/confirmations', question(user, task));
    expect((await service.rest('GET', `/ws/tasks/${task}`)).body).toMatchObject({
      task_id: task,
      user_id: user,
      cancelled: false,
    });
    const cancelled = await service.rest('POST', `/ws/tasks/${task}/cancel`, { reason: 'stop' });
    expect(cancelled).toMatchObject({ status: 200, body: { cancelled: true, reason: 'stop', cancelled_at: expect.any(Number) } });
    expect((await service.rest('POST', '/ws/confirmations', question(user, task))).body).toMatchObject({
      state: 'cancelled',
      proceed: false,
    });
    expect((await service.rest('DELETE', `/ws/tasks/${task}/cancel`)).body).toMatchObject({ cancelled: false });
    expect((await service.rest('POST', '/ws/confirmations', question(user, task))).body).toMatchObject({ state: 'pending' });
  });
});

describe('health, metrics, docs', () => {
  it('is live and ready', async () => {
    expect((await service.rest('GET', '/health/live')).status).toBe(200);
    expect((await service.rest('GET', '/health/ready')).status).toBe(200);
  });

  it('has the old health object', async () => {
    const { status, body } = await service.rest('GET', '/ws/health');
    expect([status, body]).toMatchObject([
      200,
      {
        status: 'healthy',
        active_connections: expect.any(Number),
        pending_callbacks: expect.any(Number),
        metrics: {
          total_connections: expect.any(Number),
          failed_connections: expect.any(Number),
          messages_sent: expect.any(Number),
          messages_failed: expect.any(Number),
          avg_response_time: expect.any(Number),
        },
        timestamp: expect.any(Number),
      },
    ]);
  });

  it('has Prometheus metrics with the old names', async () => {
    const { body, headers } = await service.rest('GET', '/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const name of ['websocket_connections', 'websocket_running 1', 'pending_callbacks', 'confirmations_decided_total'])
      expect(body['text']).toContain(name);
  });

  it('has these routes in its OpenAPI document, and no others', async () => {
    const { paths } = (await service.rest('GET', '/docs/openapi.json')).body as unknown as { paths: Record<string, object> };
    expect(Object.keys(paths).sort()).toEqual([
      '/health/live',
      '/health/ready',
      '/metrics',
      '/ws/broadcast',
      '/ws/confirmations',
      '/ws/confirmations/{callback_id}',
      '/ws/confirmations/{callback_id}/answer',
      '/ws/confirmations/{callback_id}/dismiss',
      '/ws/confirmations/{callback_id}/seen',
      '/ws/health',
      '/ws/nodes',
      '/ws/status',
      '/ws/tasks/{task_id}',
      '/ws/tasks/{task_id}/cancel',
      '/ws/tasks/{task_id}/heartbeat',
      '/ws/tasks/{task_id}/messages',
      '/ws/users/{user_id}',
      '/ws/users/{user_id}/confirmations',
      '/ws/users/{user_id}/messages',
      '/ws/users/{user_id}/review',
      '/ws/users/{user_id}/revoke',
    ]);
  });
});
