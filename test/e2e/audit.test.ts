/** The audit trail says what happened: who, from where, and once. */
import { createHash } from 'node:crypto';
import type { AuditEntry } from '../../src/notification/index.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startService, type TestService } from '../support/service.js';

const KEY = 'an-api-key-of-a-worker';
const STEP = { message: 'Deploy?' };
const CALLER = '203.0.113.7';

describe('the audit trail', () => {
  let service: TestService;
  let entries: AuditEntry[] = [];
  let tasks = 0;
  const newTask = (): string => `task-${(tasks += 1)}`;
  const byKey = { 'x-api-key': KEY };
  const bearer = async (sub: string, claims = {}) => ({ authorization: `Bearer ${await tokenOf(sub, claims)}` });
  const open = async (taskId = newTask()): Promise<string> => {
    const { confirmation } = await service.notifications.openConfirmation({ stepResult: STEP, userId: 'ann', taskId, step: 1 });
    return confirmation.callbackId;
  };
  const of = (event: AuditEntry['event']): AuditEntry[] => entries.filter((entry) => entry.event === event);

  beforeAll(async () => {
    service = await startService({
      environment: {
        ...JWT_SETTINGS,
        WEBSOCKET_API_KEYS: KEY,
        WEBSOCKET_TRUST_PROXY: 'loopback',
        WEBSOCKET_RATE_LIMIT: '1',
        WEBSOCKET_RATE_BURST: '50',
      },
      options: { audit: (entry) => entries.push(entry) },
    });
  });
  afterAll(() => service.stop());
  beforeEach(() => {
    entries = [];
  });

  it('names the address of the caller, not of the proxy, in refused and in allowed REST calls', async () => {
    const forwarded = { 'x-forwarded-for': CALLER };
    const callbackId = await open();
    entries = [];
    const body = { proceed: true };
    await service.rest('POST', '/ws/broadcast', { type: 'x' }, forwarded);
    await service.rest('POST', '/ws/broadcast', { type: 'x' }, { ...forwarded, 'x-api-key': 'a-key-that-nobody-has' });
    await service.rest('POST', '/ws/broadcast', { type: 'x' }, { ...forwarded, ...(await bearer('ann')) });
    await service.rest('POST', `/ws/confirmations/unknown/answer`, body, { ...forwarded, ...(await bearer('ann')) });
    await service.rest('GET', '/no/such/route', undefined, forwarded);
    await service.rest('POST', `/ws/confirmations/${callbackId}/answer`, body, { ...forwarded, ...byKey });
    expect(entries.length).toBeGreaterThanOrEqual(5);
    expect(entries.map(({ address }) => address)).toEqual(entries.map(() => CALLER));
    expect(of('refused')).toContainEqual(
      expect.objectContaining({
        by: { kind: 'user', id: 'ann' },
        code: 'FORBIDDEN',
        what: expect.stringContaining('/ws/broadcast'),
      }),
    );
  });

  it('names the kind of every actor: a user called “service” is no service, a key has its digest, a token its subject', async () => {
    const hash = createHash('sha256').update(KEY).digest('hex').slice(0, 8);
    const ask = (headers: Record<string, string>) =>
      service.rest('POST', '/ws/confirmations', { user_id: 'service', task_id: newTask(), step: 1, step_result: STEP }, headers);
    const { body } = await ask(byKey);
    await ask(await bearer('worker', { scope: 'notification:service' }));
    const client = await service.connect({ headers: await bearer('service') });
    await client.request({ action: 'confirm', callback_id: body['callback_id'], proceed: true });
    await client.request({ action: 'confirm', callback_id: 'unknown', proceed: true });
    await service.rest('POST', '/ws/broadcast', { type: 'x' }, await bearer('service'));
    await open();
    expect(entries.map(({ event, by }) => [event, by])).toEqual([
      ['prompt', { kind: 'key', hash }],
      ['prompt', { kind: 'service', id: 'worker' }],
      ['decision', { kind: 'user', id: 'service' }],
      ['refused', { kind: 'user', id: 'service' }],
      ['refused', { kind: 'user', id: 'service' }],
      ['prompt', { kind: 'service' }],
    ]);
    await client.close();
  });

  it('has one entry for what was repeated: an answer, a withdrawal, a cancellation, a resumption', async () => {
    const taskId = newTask();
    const [answered, withdrawn] = [await open(), await open()];
    await service.notifications.getTask(taskId);
    await open(taskId);
    entries = [];
    for (let round = 0; round < 3; round += 1) {
      await service.rest('POST', `/ws/confirmations/${answered}/answer`, { proceed: true }, await bearer('ann'));
      await service.rest('DELETE', `/ws/confirmations/${withdrawn}`, undefined, byKey);
    }
    for (let round = 0; round < 3; round += 1) await service.rest('POST', `/ws/tasks/${taskId}/cancel`, {}, await bearer('ann'));
    for (let round = 0; round < 3; round += 1) await service.rest('DELETE', `/ws/tasks/${taskId}/cancel`, undefined, byKey);
    expect(entries.map(({ event, what, via, answeredBy }) => ({ event, what, via, answeredBy }))).toEqual([
      { event: 'decision', what: 'answered', via: 'rest', answeredBy: 'ann' },
      { event: 'decision', what: 'withdrawn', via: 'rest' },
      { event: 'cancel', what: 'cancelled', via: 'rest' },
      { event: 'resume', what: 'resumed' },
    ]);
    expect(of('resume')).toMatchObject([{ taskId, userId: 'ann', by: { kind: 'key' }, means: 'rest' }]);
  });

  it('has one entry for a question that several callers withdraw at once', async () => {
    const client = await service.connect({ headers: await bearer('ann') });
    const abort = new AbortController();
    const asking = ['first', 'second'].map(() =>
      service.notifications.notifyUser(STEP, 'ann', 'shared', 1, { key: 'shared', signal: abort.signal }),
    );
    await client.next({ type: 'task_step_result', task_id: 'shared' });
    abort.abort();
    for (const asked of asking) expect(await asked).toMatchObject({ outcome: 'withdrawn' });
    expect(of('decision')).toMatchObject([{ what: 'withdrawn', via: 'service', by: { kind: 'service' } }]);
    await client.close();
  });

  it('records every revocation, each of which ends other tokens', async () => {
    for (let round = 0; round < 2; round += 1) await service.rest('POST', '/ws/users/zoe/revoke', {}, byKey);
    expect(of('revoked')).toMatchObject([{ userId: 'zoe', by: { kind: 'key' } }, { userId: 'zoe' }]);
  });

  it('records repeated refusals of every kind once, with a count at the end', async () => {
    const other = await startService({
      environment: {
        ...JWT_SETTINGS,
        WEBSOCKET_RATE_LIMIT: '5',
        WEBSOCKET_RATE_BURST: '20',
      },
      options: { audit: (entry) => entries.push(entry) },
    });
    const headers = await bearer('eve');
    const client = await other.connect({ headers });
    for (let count = 0; count < 8; count += 1) await client.request({ action: 'confirm', callback_id: `guess-${count}` });
    for (let count = 0; count < 3; count += 1) await other.rest('POST', '/ws/broadcast', { type: 'x' }, headers);
    for (let count = 0; count < 14; count += 1) client.send({ action: 'ping' });
    await client.next({ type: 'error', code: 'RATE_LIMITED' });
    expect(await other.rest('POST', '/ws/broadcast', { type: 'x' }, headers)).toMatchObject({ status: 429 });
    await other.stop();
    const eve = entries.filter(({ by }) => by?.kind === 'user' && by.id === 'eve');
    expect(eve.filter(({ count }) => count === undefined).map(({ what, code }) => [what, code])).toEqual([
      ['ws.confirm', 'NOT_FOUND'],
      ['POST /ws/broadcast', 'FORBIDDEN'],
      ['ws.frame', 'RATE_LIMITED'],
      ['POST /ws/broadcast', 'RATE_LIMITED'],
    ]);
    expect(eve[0]).toMatchObject({ callbackId: 'guess-0' });
    const counted = eve.filter(({ count }) => count !== undefined);
    expect(counted).toContainEqual(expect.objectContaining({ what: 'ws.confirm', code: 'NOT_FOUND', count: 7 }));
    expect(counted).toContainEqual(expect.objectContaining({ what: 'POST /ws/broadcast', code: 'FORBIDDEN', count: 2 }));
    expect(eve.every(({ address }) => address === '127.0.0.1')).toBe(true);
  });
});
