/** A task's name may be used again once the task is forgotten; what it says then is its new user's alone. */
import { Engine } from '../../src/notification/engine/engine.js';
import type { TestClient } from '../support/client.js';
import { describeEngines } from '../support/engines.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startService, type TestService } from '../support/service.js';

describeEngines('a task whose name is used again', (engine) => {
  let service: TestService;
  beforeAll(async () => {
    await engine.start();
    service = await startService({
      environment: {
        ...engine.environment(),
        ...JWT_SETTINGS,
        WEBSOCKET_API_KEYS: 'a-key-of-at-least-16-bytes',
        WEBSOCKET_RETENTION: '1',
      },
    });
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
  });

  const connect = async (user: string): Promise<TestClient> =>
    service.connect({ headers: { authorization: `Bearer ${await tokenOf(user)}` } });
  const store = (): Engine => service.app.get<Engine>(Engine);

  it('does not reach a subscriber of the earlier task, whose subscription ends and who can recover nothing of it', async () => {
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    let reply;
    do {
      // On a busy machine it may be forgotten at once.
      await store().tasks.claim('deploy', 'ann');
      reply = await ann.request({ action: 'subscribe', task_id: 'deploy' });
    } while (reply.type !== 'subscription_confirmed');
    const { epoch, offset } = reply;
    while (await store().tasks.get('deploy')) await store().ping();

    // `sendToTask` counts as a use: the task stays Bob's from here on, unless the machine stands still for a second.
    do {
      await store().tasks.claim('deploy', 'bob');
      await service.notifications.sendToTask('deploy', { type: 'secret' });
      await bob.settled();
    } while (bob.pendingFrames('secret').length === 0);
    await service.notifications.cancelTask('deploy');
    await bob.next('task_cancelled');
    expect(await ann.next('unsubscribed')).toEqual({ type: 'unsubscribed', channel: 'task:deploy', reason: 'forbidden' });
    await service.notifications.sendToTask('deploy', { type: 'secret' });
    await service.notifications.sendToTask('deploy', { type: 'task_progress', progress: 1 });
    const again = await ann.request({ action: 'subscribe', task_id: 'deploy', recover: { epoch, offset } });
    expect(again).toMatchObject({ code: 'NOT_FOUND' });
    const answers = ['subscription_confirmed', 'error'];
    expect(ann.received.flatMap(({ type }) => (answers.includes(type) ? [] : type))).toEqual(['unsubscribed']);
  });
});
