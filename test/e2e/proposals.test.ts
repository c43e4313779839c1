/** Proposals that an answer may edit, and prompts that are seen or dismissed without being decided. */
import { startService, type TestService } from '../support/service.js';
import type { TestClient } from '../support/client.js';

let service: TestService;
let ann: TestClient;
let serial = 0;
beforeAll(async () => {
  service = await startService();
  ann = await service.connectAs('ann');
});
afterAll(() => service.stop());

const PROPOSAL = { command: ['deploy', '--build', '42'], note: 'ü\u2028', limits: { cpu: 0.1 }, flags: [null, true] };

async function open(options: Record<string, unknown> = {}): Promise<string> {
  const { status, body } = await service.rest('POST', '/ws/confirmations', {
    user_id: 'ann',
    task_id: `task-${++serial}`,
    step: 1,
    step_result: { message: 'Run this?' },
    timeout: 600,
    on_timeout: 'abort',
    ...options,
  });
  expect(status).toBe(201);
  return String(body['callback_id']);
}

const state = async (callbackId: string): Promise<Record<string, unknown>> =>
  (await service.rest('GET', `/ws/confirmations/${callbackId}`)).body;

describe('a proposal', () => {
  it('is shown as it was given, and its edited form comes back beside proceed: true', async () => {
    const waiting = service.notifications.notifyUser({ message: 'Run this?' }, 'ann', 'edit', 1, {
      proposal: PROPOSAL,
      editable: true,
    });
    const prompt = await ann.next('task_step_result');
    expect(prompt).toMatchObject({ proposal: PROPOSAL, editable: true });
    const edited = { ...PROPOSAL, command: ['deploy', '--build', '43'] };
    const { callback_id } = prompt;
    expect(await ann.request({ action: 'confirm', callback_id, proceed: true, edited })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await waiting).toMatchObject({ proceed: true, edited, answeredBy: 'ann' });
    expect(await state(String(callback_id))).toMatchObject({ proceed: true, edited });
    expect(await ann.request({ action: 'confirm', callback_id, proceed: true, edited })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await ann.request({ action: 'confirm', callback_id, proceed: true, edited: 'else' })).toMatchObject({
      code: 'ALREADY_RESOLVED',
      confirmation: { edited },
    });
  });

  it('may be edited to 64 KiB in a frame that escapes each letter, and only an answer may be so large', async () => {
    const callbackId = await open({ proposal: 'ü'.repeat(32_767), editable: true });
    const edited = 'ö'.repeat(32_767);
    const fields = `"callback_id":"${callbackId}","proceed":true,"request_id":"large","edited":"${'\\u00f6'.repeat(32_767)}"`;
    ann.socket.send(`{"action":"confirm",${fields}}`);
    expect(await ann.next('confirmation_accepted')).toMatchObject({ request_id: 'large' });
    expect(await state(callbackId)).toMatchObject({ edited });
    const other = await service.connect();
    other.socket.send(`{"action":"ping",${fields}}`);
    expect((await other.closed()).code).toBe(1009);
  });

  it.each([
    ['a proposal that is not editable', { proposal: 'rm -rf build' }, { proceed: true, edited: 'rm -rf' }],
    ['a prompt without a proposal', {}, { proceed: true, edited: 1 }],
    ['a proposal that is to become nothing', { proposal: 1, editable: true }, { proceed: true, edited: null }],
    ['an answer that does not proceed', { proposal: 1, editable: true }, { proceed: false, edited: 2 }],
  ])('refuses an edited value for %s, by frame and by REST, and the prompt stays pending', async (_what, options, answer) => {
    const callbackId = await open(options);
    expect(await ann.request({ action: 'confirm', callback_id: callbackId, ...answer })).toMatchObject({
      code: 'INVALID_ANSWER',
      fields: { edited: expect.any(String) },
    });
    const byRest = await service.rest('POST', `/ws/confirmations/${callbackId}/answer`, answer);
    expect([byRest.status, byRest.body]).toEqual([400, expect.objectContaining({ code: 'INVALID_ANSWER' })]);
    expect(await state(callbackId)).toMatchObject({ state: 'pending' });
  });

  it('is refused above 64 KiB, and so is an edited form; editable needs a proposal', async () => {
    const question = { user_id: 'ann', task_id: 'large', step: 1, step_result: { message: '?' } };
    const refused = async (options: object): Promise<unknown> =>
      (await service.rest('POST', '/ws/confirmations', { ...question, ...options })).body['fields'];
    expect(await refused({ proposal: 'x'.repeat(65_535) })).toEqual({ proposal: expect.stringContaining('65536') });
    expect(await refused({ proposal: null })).toEqual({ proposal: expect.stringContaining('null') });
    expect(await refused({ editable: true })).toEqual({ editable: 'needs a proposal' });
    const callbackId = await open({ proposal: 1, editable: true });
    const answered = await service.rest('POST', `/ws/confirmations/${callbackId}/answer`, {
      proceed: true,
      edited: 'x'.repeat(65_535),
    });
    expect([answered.status, answered.body['fields']]).toEqual([400, { edited: expect.stringContaining('65536') }]);
  });

  it('is part of the digest of an irreversible prompt', async () => {
    const digests = await Promise.all(
      ['a', 'b'].map(async (proposal) => {
        const callbackId = await open({ risk: 'irreversible', proposal, task_id: 'digest' });
        const { body } = await service.rest('GET', '/ws/users/ann/confirmations?state=pending&task_id=digest');
        const entries = body['confirmations'] as { callback_id: string; digest: string }[];
        return entries.find(({ callback_id }) => callback_id === callbackId)?.digest;
      }),
    );
    expect(digests).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(digests[0]).not.toBe(digests[1]);
  });
});

describe('a prompt that is not decided', () => {
  it('records when a device first showed it, which the asker reads', async () => {
    const callbackId = await open();
    expect(await state(callbackId)).not.toHaveProperty('seen_at');
    const seen = await ann.request({ action: 'seen', callback_id: callbackId });
    expect(seen).toMatchObject({ type: 'seen', callback_id: callbackId, seen_at: expect.any(Number) });
    const again = await service.rest('POST', `/ws/confirmations/${callbackId}/seen`, {});
    expect(again.body).toMatchObject({ state: 'pending', seen_at: seen['seen_at'] });
  });

  it('is dismissed on all devices of its user until a time, stays pending, and is shown with that time on the next connect', async () => {
    const phone = await service.connectAs('ann');
    const callbackId = await open();
    const until = Math.floor(Date.now() / 1000) + 120;
    expect(await ann.request({ action: 'dismiss', callback_id: callbackId, until })).toMatchObject({
      type: 'dismissed',
      callback_id: callbackId,
      dismissed_until: until,
    });
    expect(await phone.next('confirmation_dismissed')).toMatchObject({ callback_id: callbackId, dismissed_until: until });
    expect(await state(callbackId)).toMatchObject({ state: 'pending', dismissed_until: until });
    const later = await service.connectAs('ann');
    let shown = await later.next('task_step_result');
    while (shown['callback_id'] !== callbackId) shown = await later.next('task_step_result');
    expect(shown).toMatchObject({ redelivered: true, dismissed_until: until });
  });

  it('is dismissed until the warning before its deadline where no time is given', async () => {
    const callbackId = await open({ timeout: 1000 });
    const { body } = await service.rest('POST', `/ws/confirmations/${callbackId}/dismiss`, {});
    const { expires_at, dismissed_until } = body as unknown as { expires_at: number; dismissed_until: number };
    expect(Math.round(expires_at - dismissed_until)).toBe(200);
  });

  it.each([
    ['in less than a minute', { timeout: 600 }, { until: Math.floor(Date.now() / 1000) + 30 }],
    ['in milliseconds', { timeout: 600 }, { until: Date.now() }],
    ['missing where there is no deadline', { timeout: null }, {}],
  ])('refuses to be dismissed until a time that is %s', async (_what, options, body) => {
    const callbackId = await open(options);
    expect(await ann.request({ action: 'dismiss', callback_id: callbackId, ...body })).toMatchObject({
      code: 'INVALID_MESSAGE',
      fields: { until: expect.any(String) },
    });
    expect(await state(callbackId)).not.toHaveProperty('dismissed_until');
  });

  it('cannot be dismissed once it is decided: the reply holds the decision', async () => {
    const callbackId = await open();
    await ann.request({ action: 'confirm', callback_id: callbackId, proceed: true });
    expect(await ann.request({ action: 'dismiss', callback_id: callbackId })).toMatchObject({
      code: 'ALREADY_RESOLVED',
      confirmation: { proceed: true },
    });
    expect(await ann.request({ action: 'seen', callback_id: 'none' })).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the list of all users', () => {
  it('holds everybody’s confirmations, oldest first, page by page, and takes a user, a task and a state', async () => {
    const opened: string[] = [];
    for (const user_id of ['list-a', 'list-b', 'list-a']) opened.push(await open({ user_id, task_id: `list-${opened.length}` }));
    await service.rest('POST', `/ws/confirmations/${opened[1]}/answer`, { proceed: false });
    const list = async (query: string): Promise<{ ids: string[]; cursor?: string }> => {
      const { status, body } = await service.rest('GET', `/ws/confirmations?${query}`);
      expect(status).toBe(200);
      const { confirmations, cursor } = body as unknown as { confirmations: { callback_id: string }[]; cursor?: string };
      return { ids: confirmations.map(({ callback_id }) => callback_id), cursor };
    };
    const all: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(`limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      all.push(...page.ids);
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(all.slice(-3)).toEqual(opened);
    expect(new Set(all).size).toBe(all.length);
    expect((await list('user_id=list-a')).ids).toEqual([opened[0], opened[2]]);
    expect((await list('user_id=list-a&task_id=list-2')).ids).toEqual([opened[2]]);
    expect((await list('user_id=list-b&state=answered')).ids).toEqual([opened[1]]);
    expect((await service.rest('GET', '/ws/confirmations?limit=0')).status).toBe(400);
  });

  it('begins with the newest when `order` or `before` says so, for one user as for all', async () => {
    const opened = await Promise.all([1, 2, 3].map((step) => open({ user_id: 'list-c', task_id: 'list-c', step })));
    const list = async (query: string): Promise<string[]> => {
      const { status, body } = await service.rest('GET', query);
      expect(status).toBe(200);
      return (body as unknown as { confirmations: { callback_id: string }[] }).confirmations.map(
        ({ callback_id }) => callback_id,
      );
    };
    const oldest = await list('/ws/confirmations?user_id=list-c');
    expect(new Set(oldest)).toEqual(new Set(opened));
    const newest = [...oldest].reverse();
    const later = Date.now() / 1000 + 60;
    expect(await list('/ws/confirmations?order=newest&limit=3')).toEqual(newest);
    expect(await list(`/ws/confirmations?before=${later}&limit=3`)).toEqual(newest);
    expect(await list(`/ws/users/list-c/confirmations?before=${later}`)).toEqual(newest);
    expect(await list(`/ws/users/list-c/confirmations?before=${later}&order=oldest`)).toEqual(oldest);
    expect(await list(`/ws/users/list-c/confirmations?before=${later - 3600}`)).toEqual([]);
  });

  it.each(['before=soon', 'before=-1', 'before=1800000000000', 'order=up', 'order='])('refuses %s by name', async (query) => {
    const { status, body } = await service.rest('GET', `/ws/confirmations?${query}`);
    expect([status, Object.keys((body as unknown as { fields: object }).fields)]).toEqual([400, [query.split('=')[0]]]);
  });
});
