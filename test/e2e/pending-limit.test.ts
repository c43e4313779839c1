/** How many confirmations of one user may be pending. */
import { describeEngines } from '../support/engines.js';
import { startService, type TestService } from '../support/service.js';

describeEngines('a user with as many pending confirmations as one may have', (engine) => {
  let service: TestService;
  beforeAll(async () => {
    await engine.start();
    service = await startService({ environment: { ...engine.environment(), WEBSOCKET_MAX_PENDING_PER_USER: '3' } });
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
  });

  it('gets no further prompt until one is decided; a key still finds its prompt, and other users are asked', async () => {
    const ask = (user_id: string, key: string): ReturnType<TestService['rest']> => {
      const body = { user_id, task_id: `task-${user_id}`, step: 1, step_result: { message: '?' } };
      return service.rest('POST', '/ws/confirmations', body, { 'idempotency-key': key });
    };
    const asked = [await ask('ann', 'a'), await ask('ann', 'b'), await ask('ann', 'c')];
    expect(asked.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(await ask('ann', 'd')).toMatchObject({
      status: 507,
      body: { code: 'STORE_FULL', message: 'the user has 3 pending confirmations, and one may have no more' },
    });
    expect((await ask('ann', 'a')).status).toBe(200);
    expect((await ask('bob', 'd')).status).toBe(201);
    const { callback_id } = asked[0]?.body ?? {};
    await service.rest('POST', `/ws/confirmations/${String(callback_id)}/answer`, { proceed: true });
    expect((await ask('ann', 'd')).status).toBe(201);
  });
});

describeEngines('a list of large confirmations', (engine) => {
  it('comes in pages that are bounded in bytes, each with one at least, and loses none', async () => {
    await engine.start();
    const service = await startService({ environment: engine.environment() });
    const text = 'x'.repeat(300_000);
    const opened: string[] = [];
    for (let step = 0; step < 20; step += 1) {
      const request = { stepResult: { message: '?', result: { text } }, userId: 'ann', taskId: 'large', step };
      opened.push((await service.notifications.openConfirmation(request)).confirmation.callbackId);
    }
    const found: string[] = [];
    let cursor: string | undefined = '';
    for (let pages = 0; cursor !== undefined; pages += 1) {
      expect(pages).toBeLessThan(20);
      const path = `/ws/users/ann/confirmations?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
      const page = (await service.rest('GET', path)).body as unknown as {
        confirmations: { callback_id: string }[];
        cursor?: string;
      };
      expect(page.confirmations.length).toBeLessThan(20);
      found.push(...page.confirmations.map(({ callback_id }) => callback_id));
      cursor = page.cursor;
    }
    expect(found).toEqual(opened);
    // The ids alone come with a task's subscription, whatever the prompts hold.
    const client = await service.connect();
    expect((await client.request({ action: 'subscribe', task_id: 'large' }))['pending']).toHaveLength(20);
    await service.stop();
    await engine.stop();
  });
});
