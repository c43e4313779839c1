/** Every action of PROTOCOL.md, and what the server sends, through real sockets. */
import type { ApplicationMessage } from '../../src/protocol/messages.js';
import { startService, type TestService } from '../support/service.js';

const STEP = { step: 'deploy', message: 'Deploy to production?', status: 'waiting', result: { build: 7 } };

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

/** Every test has users and tasks of its own. */
let serial = 0;
const fresh = (name: string): string => `${name}-${++serial}`;

describe('ping', () => {
  it('answers pong with the whole frame', async () => {
    const client = await service.connect();
    client.send({ action: 'ping', note: 'x' });
    const pong = await client.next('pong');
    expect(pong['original_data']).toEqual({ action: 'ping', note: 'x' });
    expect(pong['timestamp']).toEqual(expect.closeTo(Date.now() / 1000, -1));
  });

  it('carries request_id in the reply, string or number', async () => {
    const client = await service.connect();
    client.send({ action: 'ping', request_id: 'a' });
    expect((await client.next('pong'))['request_id']).toBe('a');
    client.send({ action: 'ping', request_id: 7 });
    expect((await client.next('pong'))['request_id']).toBe(7);
  });
});

describe('subscribe', () => {
  it('names the user, the channel, its position and the pending prompts, then shows them', async () => {
    const user = fresh('user');
    const asked = service.notifications.notifyUser(STEP, user, fresh('task'), 1);
    const client = await service.connect();
    await client.request({ action: 'pending' });
    const reply = await client.request({ action: 'subscribe', user_id: user });
    expect(reply).toMatchObject({
      type: 'subscription_confirmed',
      user_id: user,
      channel: `user:${user}`,
      epoch: expect.any(String),
      offset: 0,
    });
    const prompt = await client.next({ type: 'task_step_result', redelivered: true, user_id: user });
    expect(reply['pending']).toEqual([prompt['callback_id']]);
    client.send({ action: 'confirm', callback_id: prompt['callback_id'], proceed: true });
    expect((await asked).proceed).toBe(true);
  });

  it('subscribes to a task without changing the identity', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const client = await service.connectAs(user);
    const reply = await client.request({ action: 'subscribe', task_id: task });
    expect(reply).toMatchObject({ task_id: task, channel: `task:${task}`, pending: [] });
    await service.notifications.sendToTask(task, { type: 'task_log', line: 1 });
    expect(await client.next('task_log')).toMatchObject({ channel: `task:${task}`, offset: 1 });
    await service.notifications.sendToUser(user, { type: 'hello' });
    expect(await client.next('hello')).toMatchObject({ target_user_id: user });
  });

  it('delivers a named channel to its subscribers only', async () => {
    const [one, other] = [await service.connect(), await service.connect()];
    await one.request({ action: 'subscribe', channel: 'news' });
    const { deliveredTo } = await service.notifications.publish('news', { type: 'headline' });
    expect(deliveredTo).toBe(1);
    await one.next('headline');
    await other.settled();
    expect(other.pendingFrames('headline')).toEqual([]);
  });

  it('replaces the first user by a second', async () => {
    const [first, second] = [fresh('user'), fresh('user')];
    const client = await service.connectAs(first);
    await client.request({ action: 'subscribe', user_id: second });
    await service.notifications.sendToUser(first, { type: 'for_first' });
    await service.notifications.sendToUser(second, { type: 'for_second' });
    await client.next('for_second');
    expect(client.pendingFrames('for_first')).toEqual([]);
    expect((await service.notifications.presence(first)).connections).toBe(0);
    expect((await service.notifications.presence(second)).connections).toBe(1);
  });

  it('refuses a frame that names no target, or two', async () => {
    const client = await service.connect();
    expect(await client.request({ action: 'subscribe' })).toMatchObject({
      type: 'error',
      code: 'INVALID_MESSAGE',
      fields: { user_id: expect.any(String) },
    });
    for (const extra of [{ channel: 'c' }, { channels: [{ channel: 'c' }] }, { channel: 'c', task_id: 't' }])
      expect(await client.request({ action: 'subscribe', user_id: 'a', ...extra })).toMatchObject({ code: 'INVALID_MESSAGE' });
  });

  it('makes the connection a user’s and subscribes it to a task when one frame names both', async () => {
    const [user, other, task] = [fresh('user'), fresh('user'), fresh('task')];
    const asked = service.notifications.notifyUser(STEP, other, task, 1);
    const client = await service.connect();
    const reply = await client.request({ action: 'subscribe', user_id: user, task_id: task });
    const ofUser = { channel: `user:${user}`, epoch: reply['epoch'], offset: 0, pending: [] };
    const ofTask = { channel: `task:${task}`, epoch: reply['epoch'], offset: 0 };
    expect(reply).toMatchObject({ type: 'subscription_confirmed', user_id: user, task_id: task, ...ofUser });
    expect(reply['subscriptions']).toMatchObject([ofUser, ofTask]);
    await service.notifications.sendToTask(task, { type: 'note' });
    expect(await client.next('note')).toEqual({ type: 'note', task_id: task, channel: `task:${task}`, offset: 1 });
    expect((await service.notifications.presence(user)).connections).toBe(1);
    expect(
      await client.request({ action: 'subscribe', user_id: user, task_id: task, recover: { epoch: 'e', offset: 1 } }),
    ).toMatchObject({ code: 'INVALID_MESSAGE', fields: { recover: expect.any(String) } });
    expect(await client.request({ action: 'unsubscribe', user_id: user, task_id: task })).toMatchObject({
      type: 'unsubscribed',
      user_id: user,
      task_id: task,
      channels: [`user:${user}`, `task:${task}`],
    });
    expect((await service.notifications.presence(user)).connections).toBe(0);
    await service.notifications.cancelTask(task);
    await asked;
  });

  it('subscribes to all channels of one frame, and shows what each has pending', async () => {
    const [user, task, news] = [fresh('user'), fresh('task'), fresh('news')];
    const asked = service.notifications.notifyUser(STEP, user, task, 1);
    const probe = await service.connect();
    const { epoch } = await probe.request({ action: 'subscribe', channel: news });
    for (const n of [1, 2]) await service.notifications.publish(news, { type: 'headline', n });
    const client = await service.connect();
    const names = [`task:${task}`, news, `user:${user}`, 'broadcast'];
    const channels = names.map((channel) => ({ channel, ...(channel === news && { recover: { epoch, offset: 1 } }) }));
    const reply = await client.request({ action: 'subscribe', channels });
    const prompt = await client.next({ type: 'task_step_result', redelivered: true, user_id: user });
    const pending = [prompt['callback_id']];
    expect(reply).toEqual({
      type: 'subscription_confirmed',
      request_id: expect.anything(),
      subscriptions: [
        { channel: names[0], epoch, offset: 0, pending },
        { channel: news, epoch, offset: 1, pending: [] },
        { channel: names[2], epoch, offset: 0, pending },
        { channel: 'broadcast', epoch, offset: expect.any(Number), pending: [] },
      ],
    });
    expect(await client.next('headline')).toMatchObject({ n: 2, offset: 2 });
    expect(await client.next('recovered')).toMatchObject({ channel: news, recovered: true, offset: 2 });
    await client.request({ action: 'confirm', callback_id: prompt['callback_id'], proceed: true });
    expect((await asked).proceed).toBe(true);
    await service.notifications.publish(news, { type: 'headline', n: 3 });
    expect(await client.next('headline')).toMatchObject({ n: 3, offset: 3 });
    const left = [names[0], news, names[2]];
    expect(await client.request({ action: 'unsubscribe', channels: left.map((channel) => ({ channel })) })).toMatchObject({
      type: 'unsubscribed',
      channels: left,
    });
    expect((await service.notifications.publish(news, { type: 'headline', n: 4 })).deliveredTo).toBe(1);
    expect((await service.notifications.presence(user)).connections).toBe(0);
  });

  it.each([
    ['nothing', { channels: [] }, 'channels'],
    ['more than 32', { channels: Array.from({ length: 33 }, (_, n) => ({ channel: `c${n}` })) }, 'channels'],
    ['what is no channel', { channels: [{ channel: 'a' }, { recover: null }] }, 'channels.1.channel'],
    ['text', { channels: ['a'] }, 'channels.0'],
    ['no list', { channels: { channel: 'a' } }, 'channels'],
    [
      'a position that is none',
      { channels: [{ channel: 'a', recover: { epoch: 'e', offset: -1 } }] },
      'channels.0.recover.offset',
    ],
    ['a position for all', { channels: [{ channel: 'a' }], recover: { epoch: 'e', offset: 1 } }, 'recover'],
    ['a channel twice', { channels: [{ channel: 'a' }, { channel: 'a' }] }, 'channels'],
    ['two users', { channels: [{ channel: 'user:a' }, { channel: 'user:b' }] }, 'channels'],
    ['nobody', { channels: [{ channel: 'a' }, { channel: 'user:' }] }, 'channels.1.channel'],
    ['channels and a target', { channels: [{ channel: 'a' }], user_id: 'u' }, 'user_id'],
  ])('refuses a frame whose channels are %s, and names the field', async (_what, fields, field) => {
    const client = await service.connect();
    const reply = await client.requestUnchecked({ action: 'subscribe', ...fields });
    expect(reply).toMatchObject({ code: 'INVALID_MESSAGE', fields: { [field]: expect.any(String) } });
    expect((await service.notifications.publish('a', { type: 'news' })).deliveredTo).toBe(0);
  });
});

describe('limits on subscriptions', () => {
  let small: TestService;
  beforeAll(async () => {
    small = await startService({
      environment: { WEBSOCKET_MAX_SUBSCRIPTIONS: '3', WEBSOCKET_RATE_LIMIT: '1', WEBSOCKET_RATE_BURST: '40' },
    });
  });
  afterAll(() => small.stop());
  const named = (...names: string[]): object[] => names.map((channel) => ({ channel }));

  it('refuses one subscription more than the limit, counts the user as one, and lets an existing one be repeated', async () => {
    const client = await small.connect();
    expect(await client.request({ action: 'subscribe', channels: named('user:u', 'a', 'b') })).toMatchObject({
      type: 'subscription_confirmed',
    });
    const refusal = { code: 'FORBIDDEN', message: 'a connection has at most 3 subscriptions' };
    expect(await client.request({ action: 'subscribe', channel: 'c' })).toMatchObject(refusal);
    expect(await client.request({ action: 'subscribe', channels: named('b', 'task:t') })).toMatchObject(refusal);
    expect((await small.notifications.publish('c', { type: 'news' })).deliveredTo).toBe(0);
    expect(await client.request({ action: 'subscribe', channel: 'a' })).toMatchObject({ type: 'subscription_confirmed' });
    expect(await client.request({ action: 'subscribe', user_id: 'v' })).toMatchObject({ type: 'subscription_confirmed' });
    await client.request({ action: 'unsubscribe', channel: 'a' });
    expect(await client.request({ action: 'subscribe', channel: 'c' })).toMatchObject({ type: 'subscription_confirmed' });
  });

  it('every channel of a frame counts as a frame towards the rate limit', async () => {
    const client = await small.connectAs('w');
    const many = Array.from({ length: 32 }, (_, n) => `c${n}`);
    expect(await client.request({ action: 'subscribe', channels: named(...many) })).toMatchObject({ code: 'FORBIDDEN' });
    for (let frame = 0; frame < 8; frame += 1) expect(await client.request({ action: 'ping' })).toMatchObject({ type: 'pong' });
    // More than trickle in on a slow machine.
    for (let frame = 0; frame < 10; frame += 1) client.send({ action: 'ping' });
    expect(await client.next('error')).toMatchObject({ code: 'RATE_LIMITED' });
  });
});

describe('unsubscribe', () => {
  it('makes the connection anonymous again: it sees every user', async () => {
    const [user, other] = [fresh('user'), fresh('user')];
    const client = await service.connectAs(user);
    expect(await client.request({ action: 'unsubscribe', user_id: user })).toMatchObject({ type: 'unsubscribed', user_id: user });
    await service.notifications.sendToUser(other, { type: 'for_other' });
    await client.next({ type: 'for_other', target_user_id: other });
  });

  it('ends the messages of a task and of a channel', async () => {
    const client = await service.connectAs(fresh('user'));
    await client.request({ action: 'subscribe', channel: 'weather' });
    expect(await client.request({ action: 'unsubscribe', channel: 'weather' })).toMatchObject({
      type: 'unsubscribed',
      channel: 'weather',
    });
    expect((await service.notifications.publish('weather', { type: 'rain' })).deliveredTo).toBe(0);
  });
});

describe('confirm', () => {
  it('shows the prompt with every field of PROTOCOL.md, unset ones null', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const client = await service.connectAs(user);
    const asked = service.notifications.notifyUser({ message: 'ok?' }, user, task, 3, {
      timeoutMs: 60_000,
      title: 'T',
      metadata: { a: 1 },
    });
    const prompt = await client.next('task_step_result');
    expect(prompt).toMatchObject({
      user_id: user,
      task_id: task,
      step: 3,
      step_name: null,
      message: 'ok?',
      result: null,
      status: null,
      completed: null,
      error_code: null,
      error_message: null,
      default: 'proceed',
      redelivered: false,
      title: 'T',
      metadata: { a: 1 },
    });
    expect(prompt['expires_at']).toEqual(expect.closeTo((prompt['timestamp'] as number) + 60, 3));
    const reply = await client.request({
      action: 'confirm',
      callback_id: prompt['callback_id'],
      proceed: true,
      feedback: 'fine',
    });
    expect(reply).toMatchObject({ type: 'confirmation_accepted', callback_id: prompt['callback_id'] });
    expect(await asked).toMatchObject({
      proceed: true,
      feedback: 'fine',
      outcome: 'answered',
      answeredBy: user,
      answeredAt: expect.any(Number),
      callbackId: prompt['callback_id'],
    });
  });

  it('reads an absent proceed as false', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const asked = service.notifications.notifyUser(STEP, user, fresh('task'), 1);
    const prompt = await client.next('task_step_result');
    client.send({ action: 'confirm', callback_id: prompt['callback_id'] });
    expect(await asked).toMatchObject({ proceed: false, outcome: 'answered' });
  });

  it.each([
    ['a misspelt proceed', { procede: true }, 'procede'],
    ['a field that nobody knows', { approved: true, user_id: 'x' }, 'approved'],
    ['a proceed of null', { proceed: null }, 'proceed'],
    ['a choice of null', { choice: null }, 'choice'],
  ])(
    'refuses an answer with neither proceed nor choice but %s, names the field, and the prompt stays pending',
    async (_what, fields, name) => {
      const user = fresh('user');
      const client = await service.connectAs(user);
      const asked = service.notifications.notifyUser(STEP, user, fresh('task'), 1);
      const { callback_id, task_id, timestamp } = await client.next('task_step_result');
      expect(await client.request({ action: 'confirm', callback_id, ...fields })).toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { [name]: expect.any(String) },
      });
      // What old clients repeat of the prompt is known.
      await client.request({ action: 'confirm', callback_id, user_id: user, task_id, step: 1, timestamp });
      expect(await asked).toMatchObject({ proceed: false, outcome: 'answered' });
    },
  );

  it('sends the resolution to the other devices, and only the reply to the one that answered', async () => {
    const user = fresh('user');
    const [phone, desk] = [await service.connectAs(user), await service.connectAs(user)];
    service.ask(STEP, user, fresh('task'), 1, { choices: [{ id: 'go', label: 'Go', proceed: true }] });
    const prompt = await phone.next('task_step_result');
    await desk.next('task_step_result');
    await phone.request({ action: 'confirm', callback_id: prompt['callback_id'], choice: 'go' });
    expect(await desk.next('confirmation_resolved')).toEqual({
      type: 'confirmation_resolved',
      callback_id: prompt['callback_id'],
      outcome: 'answered',
      proceed: true,
      answered_by: user,
      choice: 'go',
      via: 'websocket',
    });
    await phone.settled();
    expect(phone.pendingFrames('confirmation_resolved')).toEqual([]);
  });

  it('lets the first answer decide, repeats its reply, and answers a later one with the decision', async () => {
    const user = fresh('user');
    const [phone, desk] = [await service.connectAs(user), await service.connectAs(user)];
    const asked = service.notifications.notifyUser(STEP, user, fresh('task'), 1);
    const { callback_id } = await phone.next('task_step_result');
    await phone.request({ action: 'confirm', callback_id, proceed: true });
    expect(await desk.request({ action: 'confirm', callback_id, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await desk.request({ action: 'confirm', callback_id, proceed: false })).toMatchObject({
      type: 'error',
      code: 'ALREADY_RESOLVED',
      callback_id,
      confirmation: { callback_id, state: 'answered', proceed: true, answered_by: user },
    });
    expect((await asked).proceed).toBe(true);
  });

  it('answers NOT_FOUND for an unknown prompt and for another user’s', async () => {
    const [user, stranger] = [fresh('user'), fresh('user')];
    const [mine, theirs] = [await service.connectAs(user), await service.connectAs(stranger)];
    service.ask(STEP, user, fresh('task'), 1);
    const { callback_id } = await mine.next('task_step_result');
    expect(await theirs.request({ action: 'confirm', callback_id, proceed: true })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await theirs.request({ action: 'confirm', callback_id: 'nothing', proceed: true })).toMatchObject({
      code: 'NOT_FOUND',
    });
    await mine.request({ action: 'confirm', callback_id, proceed: false });
  });

  it('keeps the prompt pending on a wrong answer and names the fields', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const asked = service.notifications.notifyUser(STEP, user, fresh('task'), 1, {
      choices: [
        { id: 'retry', label: 'Retry', proceed: true },
        { id: 'stop', label: 'Stop', proceed: false },
      ],
      inputSchema: { type: 'object', properties: { size: { type: 'integer', minimum: 1 } }, required: ['size'] },
    });
    const { callback_id } = await client.next('task_step_result');
    const wrong = (answer: object): Promise<object> => client.request({ action: 'confirm', callback_id, ...answer });
    expect(await wrong({ choice: 'other' })).toMatchObject({
      code: 'INVALID_ANSWER',
      callback_id,
      fields: { choice: expect.any(String) },
    });
    expect(await wrong({ choice: 'stop', proceed: true })).toMatchObject({
      code: 'INVALID_ANSWER',
      fields: { proceed: expect.any(String) },
    });
    expect(await wrong({ choice: 'retry' })).toMatchObject({ code: 'INVALID_ANSWER', fields: { 'values.size': 'is required' } });
    expect(await wrong({ choice: 'retry', values: { size: 0 } })).toMatchObject({
      code: 'INVALID_ANSWER',
      fields: { 'values.size': expect.any(String) },
    });
    expect(await wrong({ choice: 'retry', values: { size: 2 } })).toMatchObject({ type: 'confirmation_accepted' });
    expect(await asked).toMatchObject({ proceed: true, choice: 'retry', values: { size: 2 } });
  });
});

describe('cancel', () => {
  it('resolves the task’s prompts as cancelled, aborts its signal, and sends task_cancelled to the audience and the sender', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const [sender, device] = [await service.connectAs(user), await service.connectAs(user)];
    const signal = service.notifications.cancellationSignal(task);
    const asked = service.notifications.notifyUser(STEP, user, task, 1);
    await device.next('task_step_result');
    const reply = await sender.request({ action: 'cancel', user_id: user, task_id: task, reason: 'changed my mind' });
    expect(reply).toMatchObject({
      type: 'task_cancelled',
      user_id: user,
      task_id: task,
      reason: 'changed my mind',
      timestamp: expect.any(Number),
    });
    expect(await device.next('task_cancelled')).toMatchObject({ task_id: task });
    expect(await device.next('confirmation_resolved')).toMatchObject({ outcome: 'cancelled', proceed: false });
    expect(await asked).toMatchObject({ outcome: 'cancelled', proceed: false });
    expect(signal.aborted).toBe(true);
    expect(await service.notifications.notifyUser(STEP, user, task, 2)).toMatchObject({ outcome: 'cancelled', proceed: false });
  });

  it('announces an unknown task in open mode, to anonymous connections as well', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const [sender, watcher] = [await service.connect(), await service.connect()];
    expect(await sender.request({ action: 'cancel', user_id: user, task_id: task })).toMatchObject({
      type: 'task_cancelled',
      user_id: user,
      task_id: task,
    });
    expect(await watcher.next({ type: 'task_cancelled', task_id: task })).toMatchObject({ user_id: user });
  });

  it('finds no task of another user', async () => {
    const [user, stranger, task] = [fresh('user'), fresh('user'), fresh('task')];
    service.ask(STEP, user, task, 1);
    const theirs = await service.connectAs(stranger);
    expect(await theirs.request({ action: 'cancel', user_id: stranger, task_id: task })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await theirs.request({ action: 'cancel', user_id: user, task_id: task })).toMatchObject({ code: 'NOT_FOUND' });
    await service.notifications.cancelTask(task);
  });
});

describe('ack', () => {
  it('confirms the acknowledgement to the sender, and does not show the message again', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const sent = service.notifications.sendToUser(user, { type: 'invoice' }, { requiresAck: true, ackTimeoutMs: 10_000 });
    const message = await client.next('invoice');
    expect(message).toMatchObject({ requires_ack: true, target_user_id: user, message_id: expect.any(String) });
    const second = await service.connectAs(user);
    expect(await second.next('invoice')).toMatchObject({ message_id: message['message_id'] });
    expect(await client.request({ action: 'ack', message_id: message['message_id'] })).toMatchObject({
      type: 'acknowledged',
      message_id: message['message_id'],
    });
    expect(await sent).toMatchObject({ acknowledged: true, messageId: message['message_id'] });
    const third = await service.connectAs(user);
    await third.settled();
    expect(third.pendingFrames('invoice')).toEqual([]);
  });

  it('answers a repeated ack like the first, and a foreign or unknown one with NOT_FOUND', async () => {
    const [user, stranger] = [fresh('user'), fresh('user')];
    const [mine, theirs] = [await service.connectAs(user), await service.connectAs(stranger)];
    await service.notifications.sendToUser(user, { type: 'invoice' }, { requiresAck: true });
    const { message_id } = await mine.next('invoice');
    expect(await theirs.request({ action: 'ack', message_id })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await mine.request({ action: 'ack', message_id })).toMatchObject({ type: 'acknowledged' });
    expect(await mine.request({ action: 'ack', message_id })).toMatchObject({ type: 'acknowledged' });
    expect(await mine.request({ action: 'ack', message_id: 'nothing' })).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('resolves with acknowledged: false when the time has passed', async () => {
    const user = fresh('user');
    expect(await service.notifications.sendToUser(user, { type: 'x' }, { requiresAck: true, ackTimeoutMs: 20 })).toMatchObject({
      acknowledged: false,
    });
  });
});

describe('authenticate', () => {
  it('is refused in open mode', async () => {
    const client = await service.connect();
    expect(await client.request({ action: 'authenticate', token: 'x' })).toMatchObject({ code: 'INVALID_MESSAGE' });
  });
});

describe('pending', () => {
  it('lists the connection’s open prompts, page by page', async () => {
    const user = fresh('user');
    const task = fresh('task');
    for (let step = 1; step <= 3; step += 1) service.ask(STEP, user, task, step);
    const client = await service.connectAs(user);
    for (let step = 1; step <= 3; step += 1) await client.next('task_step_result');
    const first = await client.request({ action: 'pending', limit: 2 });
    expect(first['confirmations']).toMatchObject([{ step: 1, redelivered: true }, { step: 2 }]);
    const second = await client.request({ action: 'pending', limit: 2, cursor: first['cursor'] });
    expect(second['confirmations']).toMatchObject([{ step: 3 }]);
    expect(second['cursor']).toBeUndefined();
    await service.notifications.cancelTask(task);
    expect((await client.request({ action: 'pending' }))['confirmations']).toEqual([]);
  });
});

describe('what the server sends by itself', () => {
  it('warns of a prompt that is about to expire, then resolves it by its default', async () => {
    const user = fresh('user');
    const client = await service.connectAs(user);
    const ask = (timeoutMs: number) =>
      service.notifications.notifyUser(STEP, user, fresh('task'), 1, { timeoutMs, onTimeout: 'abort' });
    // A machine that is too busy for the fifth of the time that is left after a warning gets more.
    for (let timeoutMs = 300; ; timeoutMs *= 4) {
      const asked = ask(timeoutMs);
      const prompt = await client.next('task_step_result');
      expect(prompt['default']).toBe('abort');
      const next = await client.next(({ type }) => type === 'confirmation_expiring' || type === 'confirmation_resolved');
      if (next['type'] === 'confirmation_resolved') continue;
      expect(next).toMatchObject({ callback_id: prompt['callback_id'], expires_at: prompt['expires_at'] });
      expect(await client.next('confirmation_resolved')).toMatchObject({ outcome: 'timed_out', proceed: false });
      expect(await asked).toMatchObject({ outcome: 'timed_out', proceed: false });
      return;
    }
  });

  it('sends heartbeats until the handle is stopped', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const client = await service.connectAs(user);
    const handle = service.notifications.sendHeartbeat(user, task, 0.1);
    for (let count = 0; count < 3; count += 1) {
      expect(await client.next('heartbeat')).toMatchObject({
        status: 'heartbeat',
        message: 'Task is still executing...',
        user_id: user,
        task_id: task,
      });
    }
    handle.stop();
  });

  it('stops heartbeats when the task is cancelled', async () => {
    const [user, task] = [fresh('user'), fresh('task')];
    const client = await service.connectAs(user);
    service.notifications.sendHeartbeat(user, task, 0.1);
    await client.next('heartbeat');
    await service.notifications.cancelTask(task);
    await client.next('task_cancelled');
    const beats = client.received.filter(({ type }) => type === 'heartbeat').length;
    const other = fresh('task');
    service.notifications.sendHeartbeat(user, other, 0.1);
    for (let count = 0; count < 3; count += 1) await client.next({ type: 'heartbeat', task_id: other });
    await service.notifications.cancelTask(other);
    const late = client.received.filter(({ type, task_id }) => type === 'heartbeat' && task_id === task).length;
    expect(late - beats).toBeLessThanOrEqual(1);
  });

  it('passes any type of the application’s through as given, with no offset for progress', async () => {
    const client = await service.connect();
    await service.notifications.broadcastMessage({ type: 'maintenance', at: 5 });
    expect(await client.next('maintenance')).toEqual({ type: 'maintenance', at: 5 });
    const task = fresh('task');
    await client.request({ action: 'subscribe', task_id: task });
    await service.notifications.sendToTask(task, { type: 'task_progress', task_id: task, progress: 0.5, message: 'half' });
    expect(await client.next('task_progress')).toEqual({ type: 'task_progress', task_id: task, progress: 0.5, message: 'half' });
  });

  it.each([
    ['a call', (task: string, message: object) => service.notifications.sendToTask(task, message as ApplicationMessage)],
    [
      'a call that names the channel',
      (task: string, message: object) => service.notifications.publish(`task:${task}`, message as ApplicationMessage),
    ],
    [
      'REST',
      async (task: string, message: object) => {
        const { status, body } = await service.rest('POST', `/ws/tasks/${task}/messages`, message);
        if (status !== 202) throw Object.assign(new Error('refused'), body);
      },
    ],
  ])('gives a message to a task its task_id, and refuses another task’s, by %s', async (_how, send) => {
    const task = fresh('task');
    const client = await service.connect();
    for (const type of ['task_progress', 'note']) {
      await send(task, { type });
      expect(await client.next(type)).toEqual({ type, task_id: task });
    }
    await send(task, { type: 'as_given', task_id: task });
    expect(await client.next('as_given')).toEqual({ type: 'as_given', task_id: task });
    for (const other of ['another', 5, null])
      await expect(send(task, { type: 'note', task_id: other })).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { task_id: expect.any(String) },
      });
  });

  it('refuses a message that brings a reserved field, by name', async () => {
    await expect(service.notifications.broadcastMessage({ type: 'x', offset: 1 })).rejects.toMatchObject({
      code: 'INVALID_MESSAGE',
      fields: { offset: expect.any(String) },
    });
    await expect(service.notifications.broadcastMessage({} as never)).rejects.toMatchObject({
      fields: { type: expect.any(String) },
    });
  });
});

describe('anonymous connections', () => {
  it('see every user’s prompts live, may answer, and count in no presence', async () => {
    const user = fresh('user');
    const watcher = await service.connect();
    const asked = service.notifications.notifyUser(STEP, user, fresh('task'), 1);
    const { callback_id } = await watcher.next({ type: 'task_step_result', user_id: user });
    expect((await service.notifications.presence(user)).connections).toBe(0);
    await watcher.request({ action: 'confirm', callback_id, proceed: true });
    const result = await asked;
    expect(result).toMatchObject({ proceed: true, outcome: 'answered' });
    expect(result.answeredBy).toBeUndefined();
  });

  it('count as one answerer', async () => {
    const [one, other] = [await service.connect(), await service.connect()];
    const user = fresh('user');
    service.ask(STEP, user, fresh('task'), 1);
    const { callback_id } = await one.next({ type: 'task_step_result', user_id: user });
    await one.request({ action: 'confirm', callback_id, proceed: true });
    expect(await other.request({ action: 'confirm', callback_id, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await other.request({ action: 'confirm', callback_id, proceed: false })).toMatchObject({ code: 'ALREADY_RESOLVED' });
  });

  it('get what was pending before they came by asking', async () => {
    const user = fresh('user');
    const task = fresh('task');
    await service.notifications.openConfirmation({ stepResult: STEP, userId: user, taskId: task, step: 1 });
    const late = await service.connect();
    const { confirmations } = (await late.request({ action: 'pending', limit: 1000 })) as unknown as {
      confirmations: { user_id: string }[];
    };
    expect(confirmations.map(({ user_id }) => user_id)).toContain(user);
    expect(late.pendingFrames('task_step_result')).toEqual([]);
    await service.notifications.cancelTask(task);
  });
});
