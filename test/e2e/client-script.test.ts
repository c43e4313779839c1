/** The client library against a scripted server: what a real server says seldom, and what must never happen. */
import { once } from 'node:events';
import { from } from 'rxjs';
import { AlreadyResolvedError, ClientClosedError } from '../../src/client/index.js';
import type { NotificationClient } from '../../src/client/index.js';
import { caughtUp, listed, ScriptedClients } from '../support/scripted-clients.js';

describe('a client', () => {
  const scripted = new ScriptedClients();
  const numbers = (client: NotificationClient, channel: string, count: number): { got: unknown[]; all: Promise<void> } => {
    const got: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      client.channel(channel, ({ number }) => {
        got.push(number);
        if (got.length === count) resolve();
      });
    });
    return { got, all };
  };

  it('asks for all its channels with one frame after every connect, from the last position of each', async () => {
    const client = scripted.open();
    const { all } = numbers(client, 'news', 2);
    const first = await scripted.server.welcome();
    expect(first.frames.filter(({ action }) => action === 'subscribe')).toHaveLength(1);
    for (const number of [1, 2]) first.send({ type: 'n', number, channel: 'news', offset: number });
    await all;
    first.socket.terminate();
    const again = await scripted.server.next();
    expect((await again.welcome()).channels).toEqual([
      { channel: 'user:ann', recover: { epoch: 'e', offset: 0 } },
      { channel: 'news', recover: { epoch: 'e', offset: 2 } },
    ]);
  });

  it('does not list another user’s prompt, which arrives while its own subscription is made', async () => {
    const client = scripted.open();
    const connection = await scripted.server.next();
    const frame = await connection.next('subscribe');
    connection.prompt('foreign', { user_id: 'bob' });
    const own = { channel: 'user:ann', epoch: 'e', offset: 0, pending: ['own'] };
    connection.reply(frame, { type: 'subscription_confirmed', subscriptions: [own] });
    connection.prompt('own');
    await caughtUp(client, connection);
    expect(client.confirmations.getSnapshot().map(({ callback_id }) => callback_id)).toEqual(['own']);
  });

  it('drops a message that arrives twice, and reports one that is missing as a gap', async () => {
    const client = scripted.open();
    const { got, all } = numbers(client, 'news', 3);
    const gaps: string[] = [];
    client.onGap((channel) => gaps.push(channel));
    const connection = await scripted.server.welcome();
    for (const offset of [1, 1, 2, 1, 5]) connection.send({ type: 'n', number: offset, channel: 'news', offset });
    await all;
    expect([got, gaps]).toEqual([[1, 2, 5], ['news']]);
  });

  it('leaves out what recovery will repeat, while its channel is not subscribed again', async () => {
    const client = scripted.open();
    const { got, all } = numbers(client, 'broadcast', 3);
    const first = await scripted.server.welcome();
    first.send({ type: 'n', number: 1, channel: 'broadcast', offset: 1 });
    first.socket.terminate();
    const again = await scripted.server.next();
    again.send({ type: 'n', number: 3 });
    await again.welcome();
    for (const number of [2, 3]) again.send({ type: 'n', number, channel: 'broadcast', offset: number });
    again.send({ type: 'recovered', channel: 'broadcast', recovered: true, epoch: 'e', offset: 3 });
    await all;
    expect(got).toEqual([1, 2, 3]);
  });

  it('loads a snapshot at first and after a gap, and holds the channel’s messages back meanwhile', async () => {
    const client = scripted.open();
    const events: string[] = [];
    let loaded: () => void = () => undefined;
    const done = new Promise<void>((resolve) => {
      client.channel(
        'news',
        ({ number }) => {
          events.push(String(number));
          if (number === 8) resolve();
        },
        {
          snapshot: async () => {
            events.push('load');
            await new Promise<void>((ready) => (loaded = ready));
            events.push('loaded');
          },
        },
      );
    });
    const connection = await scripted.server.welcome();
    const synced = new Promise<void>((resolve) => void client.on('sync', () => resolve()));
    connection.send({ type: 'n', number: 1, channel: 'news', offset: 1 });
    connection.send({ type: 'sync' });
    await synced;
    expect(events).toEqual(['load']);
    loaded();
    connection.send({ type: 'recovered', channel: 'news', recovered: false, epoch: 'f', offset: 7 });
    connection.send({ type: 'n', number: 8, channel: 'news', offset: 8 });
    while (events.length < 4) await new Promise(setImmediate);
    expect(events).toEqual(['load', 'loaded', '1', 'load']);
    loaded();
    await done;
    expect(events).toEqual(['load', 'loaded', '1', 'load', 'loaded', '8']);
  });

  it('sends an answer again on the next connection when its reply was lost, and never a third time', async () => {
    const client = scripted.open();
    const first = await scripted.server.welcome();
    first.prompt('p1', { digest: 'abc' });
    await listed(client, 1);
    const answered = client.confirmations.answer('p1', { proceed: true });
    expect(await first.next('confirm')).toMatchObject({ callback_id: 'p1', proceed: true, digest: 'abc' });
    first.socket.terminate();
    const again = await scripted.server.welcome();
    again.reply(await again.next('confirm'), { type: 'confirmation_accepted', callback_id: 'p1' });
    await answered;
    again.socket.terminate();
    const third = await scripted.server.welcome();
    third.prompt('p1'); // a redelivery that was under way
    third.prompt('p2');
    expect(await listed(client, 1)).toMatchObject([{ callback_id: 'p2' }]);
    expect(third.frames.filter(({ action }) => action === 'confirm')).toEqual([]);
  });

  it('sends no answer before it has said again who it is', async () => {
    const client = scripted.open();
    const first = await scripted.server.welcome();
    first.prompt('p1');
    await listed(client, 1);
    first.socket.terminate();
    const again = await scripted.server.next();
    const answered = client.confirmations.answer('p1', { proceed: true });
    const refused = await again.next();
    again.reply(refused, { type: 'error', code: 'UNAVAILABLE', message: 'not now' });
    const order = [refused.action, (await again.welcome()).action, (await again.next()).action];
    expect(order).toEqual(['subscribe', 'subscribe', 'confirm']);
    again.send({ type: 'confirmation_accepted', callback_id: 'p1', request_id: again.frames.at(-1)?.request_id });
    await answered;
  });

  it('sends an answer again when the server could not store it, and rejects with the decision when another counts', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    connection.prompt('p1');
    await listed(client, 1);
    const answered = client.confirmations.answer('p1', { proceed: true });
    answered.catch(() => undefined);
    const error = { type: 'error', message: '', timestamp: 0, callback_id: 'p1' };
    connection.reply(await connection.next('confirm'), { ...error, code: 'UNAVAILABLE' });
    const decision = { callback_id: 'p1', state: 'timed_out', proceed: false };
    connection.reply(await connection.next('confirm'), { ...error, code: 'ALREADY_RESOLVED', confirmation: decision });
    await expect(answered).rejects.toMatchObject({ decision });
    await expect(answered).rejects.toBeInstanceOf(AlreadyResolvedError);
  });

  it('refuses to answer after the server has closed it for good, and ends its list', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    connection.socket.close(4509, 'replaced');
    for await (const _list of client.confirmations);
    expect(client.state).toEqual({ status: 'closed', reason: '4509 replaced', code: 4509 });
    await expect(client.confirmations.answer('p1', { proceed: true })).rejects.toBeInstanceOf(ClientClosedError);
    await expect(client.cancel('task')).rejects.toBeInstanceOf(ClientClosedError);
    expect(scripted.server.connects).toBe(1);
  });

  it('stays closed: closed at once, while its token is fetched, or by a listener of its state', async () => {
    scripted.open().close();
    let give: (token: string) => void = () => undefined;
    const waiting = scripted.open({ token: () => new Promise((resolve) => (give = resolve)) });
    await Promise.resolve();
    waiting.close();
    give('token');
    const states: string[] = [];
    const client = scripted.open({ token: () => 'token' });
    client.onState(({ status }) => {
      states.push(status);
      if (status === 'open') client.close();
    });
    // It has had more time than it needs to connect again.
    await new Promise<void>((resolve) => {
      client.onState(() => scripted.open().onState(({ status }) => status === 'open' && resolve()));
    });
    expect(states).toEqual(['open', 'closed']);
    expect(scripted.errors).toEqual([]);
  });

  it('gives up a server that answers no ping, and connects again', async () => {
    const client = scripted.open({ userId: 'ann', quietMs: 50, silenceMs: 500 });
    const first = await scripted.server.next();
    first.answersPings = false;
    expect(await first.closed).toBe(1005);
    const again = await scripted.server.welcome();
    for (let pings = 0; pings < 3; pings += 1) await once(again.socket, 'message');
    expect(client.state).toEqual({ status: 'open' });
  });

  it('counts down by the server’s clock', async () => {
    scripted.server.clockOffsetMs = 3_600_000;
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    connection.prompt('p1', { expires_at: Date.now() / 1000 + 3600 + 60 });
    const [confirmation] = await listed(client, 1);
    expect(Math.abs(client.remainingMs(confirmation!) - 60_000)).toBeLessThan(5000);
    expect(client.remainingMs({ expires_at: null })).toBe(Infinity);
  });

  it('is an Observable for RxJS, and keeps its snapshot until something changes', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    const lengths: number[] = [];
    const stop = from(client.confirmations as unknown as AsyncIterable<readonly unknown[]>).subscribe((list) =>
      lengths.push(list.length),
    );
    connection.prompt('p2', { timestamp: 2 });
    await listed(client, 1);
    connection.prompt('p1', { timestamp: 1 });
    const list = await listed(client, 2);
    expect(list.map(({ callback_id }) => callback_id)).toEqual(['p1', 'p2']);
    expect(client.confirmations.getSnapshot()).toBe(list);
    stop.unsubscribe();
    connection.send({ type: 'confirmation_resolved', callback_id: 'p1', outcome: 'answered', proceed: true, via: 'rest' });
    await listed(client, 1);
    expect(lengths).toEqual([0, 1, 2]);
  });

  it('hides a dismissed confirmation until it expires soon, and shows it again when the server refuses', async () => {
    const client = scripted.open();
    const connection = await scripted.server.welcome();
    for (const id of ['p1', 'p2']) connection.prompt(id);
    await listed(client, 2);
    const dismissed = client.confirmations.dismiss('p1');
    const refused = client.confirmations.dismiss('p2', Date.now() + 1000);
    refused.catch(() => undefined);
    expect(client.confirmations.getSnapshot()).toEqual([]);
    const [one, other] = [await connection.next('dismiss'), await connection.next('dismiss')];
    expect([one['until'], typeof other['until']]).toEqual([undefined, 'number']);
    connection.reply(one, { type: 'dismissed', callback_id: 'p1', dismissed_until: Date.now() / 1000 + 100 });
    connection.reply(other, { type: 'error', code: 'INVALID_MESSAGE', message: 'until', fields: { until: 'too soon' } });
    await dismissed;
    await expect(refused).rejects.toMatchObject({ fields: { until: 'too soon' } });
    expect(client.confirmations.getSnapshot()).toMatchObject([{ callback_id: 'p2' }]);
    connection.send({ type: 'confirmation_expiring', callback_id: 'p1', expires_at: Date.now() / 1000 + 60 });
    expect(await listed(client, 2)).toMatchObject([{ callback_id: 'p1', expiring: true }, { callback_id: 'p2' }]);
  });

  it('goes on when a listener throws or a frame is garbage, and reports both', async () => {
    const client = scripted.open();
    const heard = new Promise<void>((resolve) => {
      client.on('n', () => {
        throw new Error('broken listener');
      });
      client.on('n', () => resolve());
    });
    const connection = await scripted.server.welcome();
    connection.socket.send('garbage');
    connection.send({ type: 'n' });
    await heard;
    expect(scripted.errors).toMatchObject([{ name: 'SyntaxError' }, { message: 'broken listener' }]);
  });

  it('loads a snapshot also for a channel that another listener has', async () => {
    const client = scripted.open();
    client.channel('news', () => undefined);
    const connection = await scripted.server.welcome();
    await caughtUp(client, connection);
    await new Promise<void>((resolve) => client.channel('news', () => undefined, { snapshot: () => resolve() }));
  });

  it('reports what it has missed between leaving a channel and joining it again', async () => {
    const client = scripted.open();
    const gap = new Promise((resolve) => client.onGap(resolve));
    const connection = await scripted.server.welcome();
    client.channel('news', () => undefined)();
    client.channel('news', () => undefined);
    for (const offset of [5, 6]) await connection.welcome({ news: { offset } });
    expect(await gap).toBe('news');
  });

  it('keeps a channel until its last listener has left', async () => {
    const client = scripted.open();
    const [one, other] = [client.channel('news', () => undefined), client.channel('news', () => undefined)];
    const connection = await scripted.server.welcome();
    one();
    client.channel('sport', () => undefined);
    expect((await connection.next()).action).toBe('subscribe');
    other();
    expect(await connection.next()).toMatchObject({ action: 'unsubscribe', channel: 'news' });
  });

  it('keeps a good token over reconnects, and gets another after 4401', async () => {
    let tokens = 0;
    scripted.open({ token: () => `token-${++tokens}` });
    for (const [expected, code] of [
      ['token-1', 1012],
      ['token-1', 4401],
      ['token-2', 4408],
    ] as const) {
      const connection = await scripted.server.next();
      const frame = await connection.next('authenticate');
      expect(frame['token']).toBe(expected);
      connection.reply(frame, { type: 'authenticated', user_id: 'ann', expires_at: Date.now() / 1000 + 600 });
      expect((await connection.welcome()).channels?.[0]?.channel).toBe('user:ann');
      connection.socket.close(code);
    }
  });
});
