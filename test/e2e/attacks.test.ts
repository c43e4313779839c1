/** What an attacker tries after the door: replays, secrets in logs, random frames and bodies. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import type { AuditEntry } from '../../src/notification/index.js';
import { ACTIONS } from '../../src/protocol/index.js';
import { TestClient } from '../support/client.js';
import { describeEngines } from '../support/engines.js';
import { JWT_SETTINGS, SECRET, tokenOf } from '../support/jwt.js';
import { startProcess } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

describe('a captured answer', () => {
  let service: TestService;
  afterEach(() => service.stop());

  const as = async (user: string): Promise<TestClient> =>
    service.connect({ headers: { authorization: `Bearer ${await tokenOf(user)}` } });

  it('changes nothing when it is sent again: after the decision, on another’s socket, after the deadline, after a restart', async () => {
    service = await startService({ environment: JWT_SETTINGS });
    const { dataDir } = service;
    const [ann, eve] = [await as('ann'), await as('eve')];
    const asked = service.notifications.notifyUser({ message: '?' }, 'ann', 't1', 1);
    const { callback_id } = await ann.next('task_step_result');
    const captured = { action: 'confirm', callback_id, proceed: true };
    expect(await eve.request(captured)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await ann.request({ ...captured, proceed: false })).toMatchObject({ type: 'confirmation_accepted' });
    expect(await ann.request(captured)).toMatchObject({ code: 'ALREADY_RESOLVED', confirmation: { proceed: false } });
    expect((await asked).proceed).toBe(false);

    const late = service.notifications.notifyUser({ message: '?' }, 'ann', 't1', 2, { timeoutMs: 60, onTimeout: 'abort' });
    const second = await ann.next('task_step_result');
    expect(await late).toMatchObject({ outcome: 'timed_out', proceed: false });
    expect(await ann.request({ ...captured, callback_id: second['callback_id'] })).toMatchObject({
      code: 'ALREADY_RESOLVED',
      confirmation: { state: 'timed_out' },
    });

    await service.app.close();
    service = await startService({ environment: JWT_SETTINGS, dataDir });
    const back = await as('ann');
    expect(await back.request(captured)).toMatchObject({ code: 'ALREADY_RESOLVED', confirmation: { proceed: false } });
    await rm(dataDir, { recursive: true, force: true });
  });

  it('does not decide another irreversible prompt, whose digest it does not echo', async () => {
    service = await startService({ environment: JWT_SETTINGS });
    const ann = await as('ann');
    const ask = (message: string): Promise<{ proceed: boolean }> =>
      service.notifications.notifyUser({ message }, 'ann', 't', 1, { risk: 'irreversible' });
    const [first, second] = [ask('Delete a.txt?'), ask('Delete everything?')];
    const [small, large] = [
      await ann.next({ type: 'task_step_result', message: 'Delete a.txt?' }),
      await ann.next({ type: 'task_step_result', message: 'Delete everything?' }),
    ];
    expect([small['digest'], small['default'], small['risk']]).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      'abort',
      'irreversible',
    ]);
    const answer = (callback_id: unknown, digest?: unknown): Promise<object> =>
      ann.request({ action: 'confirm', callback_id, proceed: true, digest });
    expect(await answer(large['callback_id'])).toMatchObject({ code: 'INVALID_ANSWER', fields: { digest: expect.any(String) } });
    expect(await answer(large['callback_id'], small['digest'])).toMatchObject({
      code: 'STALE_PROMPT',
      callback_id: large['callback_id'],
    });
    expect(await answer(small['callback_id'], small['digest'])).toMatchObject({ type: 'confirmation_accepted' });
    expect(await answer(large['callback_id'], large['digest'])).toMatchObject({ type: 'confirmation_accepted' });
    expect([(await first).proceed, (await second).proceed]).toEqual([true, true]);
  });
});

describe('secrets', () => {
  it('reach no log, no audit line, no 101 and no error: tokens, API keys, what messages say', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'notifications-'));
    const auditFile = join(folder, 'audit');
    const API_KEY = 'api-key-kept-secret';
    const service = await startProcess({
      ...JWT_SETTINGS,
      WEBSOCKET_API_KEYS: API_KEY,
      WEBSOCKET_LOG_LEVEL: 'trace',
      WEBSOCKET_AUDIT_FILE: auditFile,
      WEBSOCKET_DATA_DIR: join(folder, 'data'),
    });
    let log = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    service.child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const token = await tokenOf('ann');
    const handshake = await new Promise<string>((resolve) => {
      const socket = new WebSocket(`${service.wsUrl}/ws`, ['notification.v1', `bearer.${token}`]);
      socket.once('upgrade', ({ headers }) => resolve(JSON.stringify(headers)));
      socket.once('open', () => socket.terminate());
    });
    const client = await TestClient.connect(`${service.wsUrl}/ws`, { protocols: ['notification.v1', `bearer.${token}`] });
    expect(client.socket.protocol).toBe('notification.v1');
    await expect(
      TestClient.connect(`${service.wsUrl}/ws?token=${token}x`, { headers: { authorization: `Bearer ${token}x` } }),
    ).rejects.toMatchObject({ status: 401 });
    const headers = { 'content-type': 'application/json', 'x-api-key': API_KEY };
    const post = (path: string, body: object): Promise<Response> =>
      fetch(service.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    const opened = await post('/ws/confirmations', {
      user_id: 'ann',
      task_id: 't\nforged: line',
      step: 1,
      step_result: { message: 'what-it-says' },
    });
    const { callback_id } = (await opened.json()) as { callback_id: string };
    await post('/ws/users/ann/messages', { type: 'x', text: 'what-it-says' });
    await post('/ws/users/ann/messages', { type: 'x', channel: 'what-it-says' });
    await client.next('task_step_result');
    await client.requestUnchecked({ action: 'confirm', callback_id, proceed: 'what-it-says' });
    await client.request({ action: 'confirm', callback_id, proceed: true, feedback: 'what-it-says' });
    await client.request({ action: 'confirm', callback_id: 'another', proceed: true });
    await client.request({ action: 'authenticate', token: `${token}y` });
    const received = JSON.stringify(client.received.filter(({ type }) => type === 'error'));
    await service.stop();
    const audit = await readFile(auditFile, 'utf8');
    for (const secret of [token, SECRET, API_KEY, 'what-it-says'])
      expect({ secret, found: [log, audit, received, handshake].some((text) => text.includes(secret)) }).toEqual({
        secret,
        found: false,
      });
    const entries = audit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries.map(({ event, by, means }) => [event, by, means])).toEqual([
      ['refused', null, 'handshake'],
      ['prompt', { kind: 'key', hash: expect.stringMatching(/^[0-9a-f]{8}$/) }, 'rest'],
      ['decision', { kind: 'user', id: 'ann' }, 'websocket'],
      ['refused', { kind: 'user', id: 'ann' }, 'websocket'],
      ['refused', { kind: 'user', id: 'ann' }, 'websocket'],
    ]);
    expect(entries[2]).toMatchObject({
      what: 'answered',
      callbackId: callback_id,
      userId: 'ann',
      taskId: 't\nforged: line',
      address: '127.0.0.1',
      at: expect.any(Number),
    });
    expect(
      log
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .every((line) => typeof JSON.parse(line) === 'object'),
    ).toBe(true);
    await rm(folder, { recursive: true, force: true });
  });
});

describe('the audit trail', () => {
  it('has a line for a question that its caller withdraws', async () => {
    const entries: AuditEntry[] = [];
    const service = await startService({ options: { audit: (entry) => entries.push(entry) } });
    const client = await service.connectAs('ann');
    const abort = new AbortController();
    const asked = service.notifications.notifyUser({ message: '?' }, 'ann', 't', 1, { signal: abort.signal });
    await client.next('task_step_result');
    abort.abort();
    expect(await asked).toMatchObject({ outcome: 'withdrawn', proceed: false });
    expect(entries.map(({ event, what, by, means }) => [event, what, by, means])).toEqual([
      ['prompt', 'opened', { kind: 'service' }, 'service'],
      ['decision', 'withdrawn', { kind: 'service' }, 'service'],
    ]);
    await service.stop();
  });
});

describeEngines(`random input (seed ${SEED})`, (engine) => {
  let service: TestService;
  const faults: unknown[] = [];
  const note = (error: unknown): void => void faults.push(error);
  beforeAll(async () => {
    process.on('unhandledRejection', note);
    await engine.start();
    service = await startService({ environment: { ...engine.environment(), WEBSOCKET_RATE_BURST: '1000000' } });
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
    process.off('unhandledRejection', note);
    expect(faults).toEqual([]);
  });

  const name = fc.oneof(
    fc.constantFrom('ann', 'task', 'x', '', '__proto__', 'constructor', 'user:ann', 'a\u0000b', '😀'),
    fc.string({ maxLength: 300 }),
  );
  const any = fc.oneof(
    name,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<unknown>,
  );
  const field = fc.constantFrom(
    'callback_id',
    'proceed',
    'feedback',
    'choice',
    'values',
    'digest',
    'user_id',
    'task_id',
    'channel',
    'recover',
    'reason',
    'message_id',
    'token',
    'limit',
    'cursor',
    'type',
    'step',
  );
  const frame = fc
    .record({ action: fc.oneof(fc.constantFrom(...ACTIONS), any), fields: fc.dictionary(field, any, { maxKeys: 5 }) })
    .map(({ action, fields }) => ({ ...fields, action }));

  it('gets a code of the protocol for every frame, and never INTERNAL', async () => {
    const client = await service.connect();
    await fc.assert(
      fc.asyncProperty(frame, async (message) => {
        const reply = await client.requestUnchecked(message);
        expect(reply['code']).not.toBe('INTERNAL');
        if (reply.type === 'error') expect(JSON.stringify(reply)).not.toMatch(/\bat .+:\d+/);
      }),
      { seed: SEED, numRuns: 600 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('gets an answer for every body and path, and never a 500', async () => {
    const routes = [
      'POST /ws/broadcast',
      'POST /ws/users/:id/messages',
      'POST /ws/confirmations',
      'POST /ws/confirmations/:id/answer',
      'POST /ws/tasks/:id/messages',
      'POST /ws/tasks/:id/heartbeat',
      'POST /ws/tasks/:id/cancel',
      'GET /ws/users/:id/confirmations',
      'GET /ws/tasks/:id',
      'DELETE /ws/confirmations/:id',
    ] as const;
    const bodyField = fc.constantFrom(
      'user_id',
      'task_id',
      'step',
      'step_result',
      'timeout',
      'on_timeout',
      'risk',
      'choices',
      'input_schema',
      'title',
      'metadata',
      'type',
      'proceed',
      'values',
      'interval',
      'ttl',
      'reason',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...routes),
        name,
        fc.oneof(fc.dictionary(bodyField, any, { maxKeys: 6 }), any),
        async (route, id, body) => {
          const [method = '', path = ''] = route.split(' ');
          const { status } = await service.rest(
            method,
            path.replace(':id', encodeURIComponent(id)),
            method === 'POST' ? JSON.stringify(body ?? null) : undefined,
          );
          expect(status).toBeLessThan(500);
        },
      ),
      { seed: SEED, numRuns: 400 },
    );
  });

  it('leaves the service able to do its work', async () => {
    const client = await service.connectAs('afterwards');
    const asked = service.notifications.notifyUser({ message: '?' }, 'afterwards', 'task-afterwards', 1);
    const { callback_id } = await client.next('task_step_result');
    await client.request({ action: 'confirm', callback_id, proceed: true });
    expect((await asked).proceed).toBe(true);
  });
});
