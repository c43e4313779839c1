/** Whatever position a client stores last is safe: what carries a position, on which connection, after which frames. */
import type { TestClient } from '../support/client.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

let serial = 0;
const fresh = (name: string): string => `${name}-${++serial}`;

/** Publishes, and gives what each client gets of it. */
async function published(channel: string, ...clients: TestClient[]): Promise<unknown[]> {
  const id = fresh('id');
  const message = { type: 'note', id };
  if (channel === 'broadcast') await service.notifications.broadcastMessage(message);
  else await service.notifications.publish(channel, message);
  const frames = await Promise.all(clients.map((client) => client.next({ id })));
  return frames.map((frame) => ('channel' in frame || 'offset' in frame ? [frame['channel'], frame['offset']] : 'plain'));
}

const position = (frame: Record<string, unknown>): object => ({ epoch: frame['epoch'], offset: frame['offset'] });

describe('a message', () => {
  it('has no position for an anonymous connection, nor on broadcast before it was subscribed to', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const [anonymous, own] = [await service.connect(), await service.connectAs(user)];
    expect(await published(`user:${user}`, anonymous, own)).toEqual(['plain', [`user:${user}`, 1]]);
    expect(await published(`task:${task}`, anonymous)).toEqual(['plain']);
    expect(await published('broadcast', anonymous, own)).toEqual(['plain', 'plain']);
    const { offset } = await own.request({ action: 'subscribe', channel: 'broadcast' });
    expect(await published('broadcast', anonymous, own)).toEqual(['plain', ['broadcast', Number(offset) + 1]]);
  });

  it('has no position for the task’s user when it is sent to a task, unless that connection subscribed to the task', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    service.ask({ message: 'Go on?' }, user, task, 1);
    const own = await service.connectAs(user);
    await own.next('task_step_result');
    expect(await published(`task:${task}`, own)).toEqual(['plain']);
    await own.request({ action: 'subscribe', task_id: task });
    expect(await published(`task:${task}`, own)).toEqual([[`task:${task}`, 2]]);
    await own.request({ action: 'unsubscribe', task_id: task });
    expect(await published(`task:${task}`, own)).toEqual(['plain']);
    await service.notifications.cancelTask(task);
  });

  it('has no position any more once the connection is anonymous again, or another user', async () => {
    const [first, second] = [fresh('user'), fresh('user')];
    const client = await service.connectAs(first);
    expect(await published(`user:${first}`, client)).toEqual([[`user:${first}`, 1]]);
    await client.request({ action: 'unsubscribe', user_id: first });
    expect(await published(`user:${first}`, client)).toEqual(['plain']);
    await client.request({ action: 'subscribe', user_id: second });
    expect(await published(`user:${second}`, client)).toEqual([[`user:${second}`, 1]]);
    await client.request({ action: 'subscribe', user_id: first });
    expect(await published(`user:${first}`, client)).toEqual([[`user:${first}`, 3]]);
  });

  it('has no position on a channel of a frame that was refused, and keeps it on one that stood before', async () => {
    const [stands, begun] = [fresh('news'), fresh('news')];
    const small = await startService({ environment: { WEBSOCKET_MAX_SUBSCRIPTIONS: '3' } });
    const client = await small.connect();
    await client.request({ action: 'subscribe', channel: stands });
    const channels = [stands, begun, 'broadcast', fresh('news')].map((channel) => ({ channel }));
    expect(await client.request({ action: 'subscribe', channels })).toMatchObject({ code: 'FORBIDDEN' });
    expect((await small.notifications.publish(begun, { type: 'lost' })).deliveredTo).toBe(0);
    await small.notifications.broadcastMessage({ type: 'plain' });
    expect(await client.next('plain')).toEqual({ type: 'plain' });
    await small.notifications.publish(stands, { type: 'note' });
    expect(await client.next('note')).toMatchObject({ channel: stands, offset: 1 });
    await small.stop();
  });
});

describe('in secure mode a user’s message', () => {
  it('has no position after a token alone, in the handshake or in authenticate, and has one after subscribe', async () => {
    const secure = await startService({
      environment: {
        ...JWT_SETTINGS,
        WEBSOCKET_API_KEYS: 'a-key-of-at-least-16-bytes',
      },
    });
    const token = await tokenOf('ann');
    const [early, late] = [await secure.connect({ headers: { authorization: `Bearer ${token}` } }), await secure.connect()];
    await early.settled();
    await late.request({ action: 'authenticate', token });
    await secure.notifications.sendToUser('ann', { type: 'first' });
    for (const client of [early, late]) {
      expect(await client.next('first')).toEqual({ type: 'first', target_user_id: 'ann' });
      expect(await client.request({ action: 'subscribe', user_id: 'ann' })).toMatchObject({ channel: 'user:ann', offset: 1 });
    }
    await secure.notifications.sendToUser('ann', { type: 'second' });
    for (const client of [early, late])
      expect(await client.next('second')).toMatchObject({ target_user_id: 'ann', channel: 'user:ann', offset: 2 });
    await secure.stop();
  });
});

describe('the reply to subscribe', () => {
  it.each([
    ['an earlier position', (epoch: unknown) => ({ epoch, offset: 1 }), true],
    ['the newest position', (epoch: unknown) => ({ epoch, offset: 3 }), true],
    ['another epoch', () => ({ epoch: 'another', offset: 7 }), false],
    ['a position that was never reached', (epoch: unknown) => ({ epoch, offset: 70 }), false],
  ])('repeats %s as it was given, alone and among channels', async (_what, given, whole) => {
    const [news, other] = [fresh('news'), fresh('news')];
    const probe = await service.connect();
    const { epoch } = await probe.request({ action: 'subscribe', channel: news });
    for (let n = 1; n <= 3; n += 1) await published(news, probe);
    const recover = given(epoch);
    const [alone, among] = [await service.connect(), await service.connect()];
    expect(await alone.request({ action: 'subscribe', channel: news, recover })).toMatchObject(recover);
    const channels = [{ channel: news, recover }, { channel: other }];
    const reply = await among.request({ action: 'subscribe', channels });
    expect(reply['subscriptions']).toMatchObject([recover, { channel: other, epoch, offset: 0 }]);
    for (const client of [alone, among])
      expect(await client.next('recovered')).toMatchObject({ channel: news, recovered: whole, epoch, offset: 3 });
  });

  it('gives, on a channel that the connection is subscribed to, the position of the last message it was sent', async () => {
    const news = fresh('news');
    const client = await service.connect();
    await client.request({ action: 'subscribe', channel: news });
    const publishing = (async () => {
      for (let n = 1; n <= 100; n += 1) await service.notifications.publish(news, { type: 'note', n });
    })();
    for (let round = 0; round < 20; round += 1) await client.request({ action: 'subscribe', channel: news });
    await publishing;
    await client.next({ type: 'note', n: 100 });
    let last = 0;
    for (const frame of client.received) {
      if (frame['channel'] !== news) continue;
      expect(frame['offset']).toBe(frame.type === 'note' ? last + 1 : last);
      last = Number(frame['offset']);
    }
  });

  it('is followed by everything after an earlier position from which the client recovers again', async () => {
    const news = fresh('news');
    const client = await service.connect();
    const before = position(await client.request({ action: 'subscribe', channel: news }));
    for (let n = 1; n <= 3; n += 1) await published(news, client);
    expect(await client.request({ action: 'subscribe', channel: news, recover: before })).toMatchObject(before);
    for (let offset = 1; offset <= 3; offset += 1) expect(await client.next({ channel: news })).toMatchObject({ offset });
    expect(await client.next('recovered')).toMatchObject({ recovered: true, offset: 3 });
    expect(await published(news, client)).toEqual([[news, 4]]);
  });
});
