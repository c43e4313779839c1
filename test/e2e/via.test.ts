/** Who answered, and by which door: services that answer for people, and what everybody else gets to see of it. */
import type { AuditEntry, DecisionEvent } from '../../src/notification/index.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { describeEngines } from '../support/engines.js';
import { startService, type TestService } from '../support/service.js';

const KEY = 'an-api-key-of-a-bridge';
const STEP = { message: 'Deploy?' };

describeEngines('the door of a decision', (engine) => {
  let service: TestService;
  const trail: AuditEntry[] = [];
  const decisions: DecisionEvent[] = [];
  const bearer = new Map<string, Record<string, string>>();
  const byKey = { 'x-api-key': KEY };
  let tasks = 0;
  const newTask = (): string => `task-${(tasks += 1)}`;
  const open = async (userId = 'ann', taskId = newTask(), timeoutMs: number | null = null): Promise<string> => {
    const { confirmation } = await service.notifications.openConfirmation({
      stepResult: STEP,
      userId,
      taskId,
      step: 1,
      timeoutMs,
    });
    return confirmation.callbackId;
  };
  const answer = (callbackId: string, body: object, headers: Record<string, string> = byKey) =>
    service.rest('POST', `/ws/confirmations/${callbackId}/answer`, body, headers);
  const stateOf = async (callbackId: string) =>
    (await service.rest('GET', `/ws/confirmations/${callbackId}`, undefined, byKey)).body;
  const decisionsOf = (callbackId: string) =>
    trail.filter((entry) => entry.event === 'decision' && entry.callbackId === callbackId);
  const connect = (user: string) => service.connect({ headers: bearer.get(user) });

  beforeAll(async () => {
    await engine.start();
    service = await startService({
      environment: {
        ...engine.environment(),
        ...JWT_SETTINGS,
        WEBSOCKET_API_KEYS: KEY,
      },
      options: {
        accessPolicy: { actsFor: (userId) => Promise.resolve(userId === 'deputy' ? ['ann'] : []) },
        audit: (entry) => trail.push(entry),
      },
    });
    service.notifications.decisions$.subscribe((decision) => decisions.push(decision));
    for (const user of ['ann', 'bob', 'deputy']) bearer.set(user, { authorization: `Bearer ${await tokenOf(user)}` });
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
  });

  it('reaches the asker, the devices, REST, decisions$ and the trail, with its person, when a service passes it', async () => {
    const device = await connect('ann');
    const asked = service.notifications.notifyUser(STEP, 'ann', newTask(), 1);
    const { callback_id } = await device.next('task_step_result');
    const callbackId = String(callback_id);
    expect(await answer(callbackId, { proceed: true, user_id: 'ann', via: 'slack' })).toMatchObject({
      status: 200,
      body: { state: 'answered', proceed: true, answered_by: 'ann', via: 'slack' },
    });
    expect(await asked).toMatchObject({ outcome: 'answered', answeredBy: 'ann', via: 'slack' });
    expect(await device.next('confirmation_resolved')).toMatchObject({ callback_id, answered_by: 'ann', via: 'slack' });
    expect(await stateOf(callbackId)).toMatchObject({ answered_by: 'ann', via: 'slack' });
    expect(decisions.find((decision) => decision.callbackId === callbackId)).toMatchObject({ answeredBy: 'ann', via: 'slack' });
    expect(decisionsOf(callbackId)).toMatchObject([
      { what: 'answered', by: { kind: 'key', hash: expect.any(String) }, means: 'rest', via: 'slack', answeredBy: 'ann' },
    ]);
    await device.close();
  });

  it('is the door of the answer where no service passes one', async () => {
    const device = await connect('ann');
    const [frame, rest, key, code] = [await open(), await open(), await open(), await open()];
    await device.request({ action: 'confirm', callback_id: frame, proceed: true });
    await answer(rest, { proceed: true }, bearer.get('ann'));
    await answer(key, { proceed: true });
    await service.notifications.answer(code, { userId: 'ann' }, { proceed: true });
    const states = await Promise.all([frame, rest, key, code].map(stateOf));
    expect(states.map(({ via, answered_by: by = null }) => [via, by])).toEqual([
      ['websocket', 'ann'],
      ['rest', 'ann'],
      ['rest', null],
      ['service', 'ann'],
    ]);
    await device.close();
  });

  it('is the clock for a deadline, and the caller’s door for a withdrawal and a cancellation, also of later prompts', async () => {
    const [taskOfUser, taskOfCode] = [newTask(), newTask()];
    const [byRest, timedOut] = [await open(), await open('ann', newTask(), 1)];
    const [byUser, byCode] = [await open('ann', taskOfUser), await open('ann', taskOfCode)];
    const abort = new AbortController();
    const aborted = service.notifications.notifyUser(STEP, 'ann', newTask(), 1, { signal: abort.signal });
    await service.rest('DELETE', `/ws/confirmations/${byRest}`, undefined, byKey);
    const device = await connect('ann');
    await device.request({ action: 'cancel', user_id: 'ann', task_id: taskOfUser });
    await service.notifications.cancelTask(taskOfCode);
    abort.abort();
    const later = await open('ann', taskOfUser);
    await service.notifications.getConfirmation(timedOut, { waitMs: 60_000 });
    const states = await Promise.all([byRest, timedOut, byUser, later, byCode].map(stateOf));
    expect(states.map(({ state, via }) => [state, via])).toEqual([
      ['withdrawn', 'rest'],
      ['timed_out', 'clock'],
      ['cancelled', 'websocket'],
      ['cancelled', 'websocket'],
      ['cancelled', 'service'],
    ]);
    expect(await aborted).toMatchObject({ outcome: 'withdrawn', via: 'service' });
    await device.close();
  });

  it('may differ when the same person repeats the same answer: the first door stays, and so does one decision in the trail', async () => {
    const device = await connect('ann');
    const callbackId = await open();
    expect(await device.request({ action: 'confirm', callback_id: callbackId, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    for (const repeat of [
      answer(callbackId, { proceed: true }, bearer.get('ann')),
      answer(callbackId, { proceed: true, user_id: 'ann', via: 'mail' }),
    ])
      expect(await repeat).toMatchObject({ status: 200, body: { via: 'websocket', answered_by: 'ann' } });
    expect(await answer(callbackId, { proceed: true, user_id: 'deputy', via: 'mail' })).toMatchObject({
      status: 409,
      body: { code: 'ALREADY_RESOLVED', confirmation: { via: 'websocket' } },
    });
    expect(decisionsOf(callbackId)).toMatchObject([{ by: { kind: 'user', id: 'ann' }, via: 'websocket' }]);
    await device.close();
  });

  it('opens nothing that the person could not reach: another’s prompt does not exist, a stand-in’s does', async () => {
    const callbackId = await open();
    const foreign = await answer(callbackId, { proceed: true, user_id: 'bob', via: 'slack' });
    expect(foreign).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await answer('unknown', { proceed: true, user_id: 'bob', via: 'slack' })).toMatchObject({
      status: foreign.status,
      body: foreign.body,
    });
    expect(await stateOf(callbackId)).toMatchObject({ state: 'pending' });
    expect(await answer(callbackId, { proceed: true, user_id: 'deputy', via: 'slack' })).toMatchObject({
      status: 200,
      body: { answered_by: 'deputy', via: 'slack' },
    });
  });

  it.each([
    ['another’s name', { user_id: 'bob' }],
    ['a door', { via: 'slack' }],
    ['a door of the product', { user_id: 'ann', via: 'service' }],
  ])('cannot be named by a user’s own token: %s is refused, and the prompt stays pending', async (_, given) => {
    const callbackId = await open();
    expect(await answer(callbackId, { proceed: true, ...given }, bearer.get('ann'))).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN' },
    });
    expect(await stateOf(callbackId)).toMatchObject({ state: 'pending' });
    expect(await answer(callbackId, { proceed: true, user_id: 'ann' }, bearer.get('ann'))).toMatchObject({
      body: { via: 'rest' },
    });
  });

  it.each([
    ['via', ''],
    ['via', 'a\nb'],
    ['via', 'x'.repeat(65)],
    ['via', '\u202eliam'],
    ['via', 7],
    ['via', { a: 1 }],
    ...['websocket', 'service', 'link', 'push', 'mcp', 'clock', 'unknown'].map((door): [string, unknown] => ['via', door]),
    ['user_id', ''],
    ['user_id', 'a\u0000'],
    ['user_id', 7],
  ])('is checked: %s %p is refused with the field named, and the prompt stays pending', async (field, value) => {
    const callbackId = await open();
    expect(await answer(callbackId, { proceed: true, user_id: 'ann', [field]: value })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_MESSAGE', fields: { [field]: expect.any(String) } },
    });
    expect(await stateOf(callbackId)).toMatchObject({ state: 'pending' });
  });

  it('is checked in calls of back-end code too', async () => {
    const callbackId = await open();
    await expect(
      service.notifications.answer(callbackId, { userId: 'ann', via: 'two words' }, { proceed: true }),
    ).rejects.toMatchObject({ code: 'INVALID_MESSAGE', fields: { via: expect.any(String) } });
    await expect(
      service.notifications.answer(callbackId, { userId: 'ann', via: 'rest' }, { proceed: true }),
    ).rejects.toMatchObject({ fields: { via: 'names a door of the product itself' } });
    await service.notifications.answer(callbackId, { userId: 'ann', via: 'pager' }, { proceed: true });
    expect(await stateOf(callbackId)).toMatchObject({ via: 'pager', answered_by: 'ann' });
  });
});

it('can be named by every REST caller in open mode, but only for the prompt’s own user', async () => {
  const service = await startService();
  const { confirmation } = await service.notifications.openConfirmation({
    stepResult: STEP,
    userId: 'ann',
    taskId: 't',
    step: 1,
  });
  const answer = (body: object) => service.rest('POST', `/ws/confirmations/${confirmation.callbackId}/answer`, body);
  expect(await answer({ proceed: true, user_id: 'bob', via: 'mail' })).toMatchObject({ status: 404 });
  expect(await answer({ proceed: true, user_id: 'ann', via: 'mail' })).toMatchObject({
    status: 200,
    body: { answered_by: 'ann', via: 'mail' },
  });
  await service.stop();
});
