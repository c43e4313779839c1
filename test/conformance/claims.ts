/** What a client must do, each as a claim that a scripted server and a fault proxy check. */
import { strict as assert } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScriptedConnection } from '../support/scripted-server.js';
import { REFUSAL_CLAIMS } from './refusal-claims.js';
import { sent, Stage, USER } from './stage.js';

type Claim = (stage: Stage) => Promise<void>;

const news = (number: number, offset = number): object => ({ type: 'n', number, channel: 'news', offset });
const numbers = ({ driver }: Stage): unknown[] => driver.all({ event: 'message', type: 'n' }).map(({ number }) => number);
const recoveries = (frames: { channels?: { channel: string; recover?: object }[] }[]): Record<string, unknown> =>
  Object.fromEntries(frames.flatMap(({ channels = [] }) => channels.map(({ channel, recover }) => [channel, recover])));
const refusal = (code: string, more: object = {}): object => ({ type: 'error', code, message: code, timestamp: 0, ...more });
const accepted = { type: 'confirmation_accepted', callback_id: 'p1' };

async function answering(stage: Stage, connection: ScriptedConnection): Promise<void> {
  await stage.ask(connection, 'p1', { digest: 'd1' });
  stage.driver.do({ do: 'answer', callback_id: 'p1', proceed: true });
}

export const CLAIMS: Record<string, Claim> = {
  'recovers every channel with one frame, from its last position': async (stage) => {
    const first = await stage.begin(['news', 'sport']);
    for (const number of [1, 2]) first.send(news(number));
    first.send({ type: 'n', number: 3, channel: 'sport', offset: 1 });
    await stage.driver.expect({ event: 'message', number: 3 });
    stage.proxy.cut();
    const frames = await stage.join(await stage.next(), ['news', 'sport']);
    assert.equal(frames.length, 1, 'one frame subscribes to all channels');
    const epoch = 'e';
    const expected = { news: { epoch, offset: 2 }, sport: { epoch, offset: 1 }, [USER]: { epoch, offset: 0 } };
    assert.deepEqual(recoveries(frames), expected);
  },

  'reports a history that is lost, and goes on from the new one': async (stage) => {
    const first = await stage.begin(['news']);
    first.send(news(1));
    await stage.driver.expect({ event: 'message', number: 1 });
    first.send({ type: 'recovered', channel: 'news', recovered: false, epoch: 'f', offset: 7 });
    await stage.driver.expect({ event: 'gap', channel: 'news' });
    stage.proxy.cut();
    const frames = await stage.join(await stage.next(), ['news']);
    assert.deepEqual(recoveries(frames)['news'], { epoch: 'f', offset: 7 });
  },

  'reports a missing message as a gap': async (stage) => {
    const first = await stage.begin(['news']);
    for (const number of [1, 3]) first.send(news(number));
    await stage.driver.expect({ event: 'gap', channel: 'news' });
    await stage.driver.expect({ event: 'message', number: 3 });
  },

  'drops a message that arrives twice': async (stage) => {
    const first = await stage.begin(['news']);
    for (const number of [1, 1, 2, 1, 3]) first.send(news(number));
    await stage.driver.expect({ event: 'message', number: 3 });
    assert.deepEqual(numbers(stage), [1, 2, 3]);
  },

  'leaves out what recovery is going to repeat': async (stage) => {
    const first = await stage.begin(['broadcast']);
    first.send({ ...news(1), channel: 'broadcast' });
    await stage.driver.expect({ event: 'message', number: 1 });
    stage.proxy.cut();
    const again = await stage.next();
    again.send({ type: 'n', number: 3 });
    await stage.join(again, ['broadcast']);
    for (const number of [2, 3]) again.send({ ...news(number), channel: 'broadcast' });
    again.send({ type: 'recovered', channel: 'broadcast', recovered: true, epoch: 'e', offset: 3 });
    await stage.ask(again, 'marker');
    assert.deepEqual(numbers(stage), [1, 2, 3]);
  },

  'acknowledges a message after its handler has ended, and handles it once': async (stage) => {
    const first = await stage.begin();
    const letter = { type: 'letter', number: 1, message_id: 'm1', requires_ack: true };
    first.send(letter);
    await stage.driver.expect({ event: 'message', type: 'letter' });
    await stage.ask(first, 'marker');
    assert.equal(sent(first, 'ack'), 0, 'no acknowledgement while the handler works');
    stage.driver.do({ do: 'release' });
    const ack = await stage.action(first, 'ack');
    assert.equal(ack['message_id'], 'm1');
    first.reply(ack, { type: 'acknowledged', message_id: 'm1' });
    first.send(letter);
    await stage.ask(first, 'second marker');
    assert.equal(stage.driver.all({ event: 'message', type: 'letter' }).length, 1, 'the letter is handled once');
  },

  'delivers an answer that was given offline, once': async (stage) => {
    const first = await stage.begin();
    await stage.ask(first, 'p1');
    // The next attempt gets nowhere: once it has begun, the client knows that it is offline.
    const attempt = stage.proxy.nextConnection();
    stage.proxy.blackHole();
    stage.proxy.cut();
    await stage.driver.within(attempt, 'the client tries to connect');
    stage.driver.do({ do: 'answer', callback_id: 'p1', proceed: true });
    await stage.driver.expect({ event: 'did', do: 'answer' });
    stage.proxy.cut();
    await stage.proxy.resume();
    const again = await stage.next();
    await stage.join(again, [], { [USER]: { pending: ['p1'] } });
    const confirm = await stage.action(again, 'confirm');
    assert.equal(again.frames.find(({ action }) => action !== 'ping')?.action, 'subscribe', 'it says first who it is');
    assert.equal(stage.driver.all({ event: 'answered' }).length, 0, 'an answer counts when the server has said so');
    again.reply(confirm, accepted);
    await stage.driver.expect({ event: 'answered', callback_id: 'p1' });
    stage.proxy.cut();
    const third = await stage.next();
    await stage.join(third, []);
    await stage.ask(third, 'marker');
    assert.equal(sent(third, 'confirm'), 0, 'an answer that counts is not sent again');
  },

  'sends an answer again whose reply was lost': async (stage) => {
    const first = await stage.begin();
    await answering(stage, first);
    assert.equal((await stage.action(first, 'confirm'))['digest'], 'd1', 'the answer carries the digest');
    stage.proxy.cut();
    const again = await stage.next();
    await stage.join(again, [], { [USER]: { pending: ['p1'] } });
    const { callback_id: callbackId, proceed } = await stage.action(again, 'confirm');
    assert.deepEqual([callbackId, proceed], ['p1', true]);
  },

  'sends an answer again that the server could not store': async (stage) => {
    const first = await stage.begin();
    await answering(stage, first);
    first.reply(await stage.action(first, 'confirm'), refusal('UNAVAILABLE'));
    first.reply(await stage.action(first, 'confirm'), accepted);
    await stage.driver.expect({ event: 'answered', callback_id: 'p1' });
  },

  'rejects an answer with the decision that counts': async (stage) => {
    const first = await stage.begin();
    await answering(stage, first);
    const confirmation = { callback_id: 'p1', state: 'timed_out', proceed: false };
    first.reply(await stage.action(first, 'confirm'), refusal('ALREADY_RESOLVED', { callback_id: 'p1', confirmation }));
    await stage.driver.expect({ event: 'rejected', callback_id: 'p1', state: 'timed_out' });
    await stage.driver.expect({ event: 'gone', callback_id: 'p1' });
  },

  'removes what was decided while it was away': async (stage) => {
    const first = await stage.begin();
    await stage.ask(first, 'p1');
    stage.proxy.cut();
    await stage.join(await stage.next(), []);
    await stage.driver.expect({ event: 'gone', callback_id: 'p1' });
  },

  'does not show again what was decided': async (stage) => {
    const first = await stage.begin();
    await stage.ask(first, 'p1');
    first.send({ type: 'confirmation_resolved', callback_id: 'p1', outcome: 'answered', proceed: true, via: 'rest' });
    await stage.driver.expect({ event: 'gone', callback_id: 'p1' });
    first.prompt('p1', { redelivered: true });
    await stage.ask(first, 'marker');
    assert.equal(stage.driver.all({ event: 'asked', callback_id: 'p1' }).length, 1);
  },

  'hides what is dismissed, here or on another device, until it expires soon': async (stage) => {
    const first = await stage.begin();
    const dismissed = { callback_id: 'p1', dismissed_until: Date.now() / 1000 + 600 };
    await stage.ask(first, 'p1');
    first.send({ type: 'confirmation_dismissed', ...dismissed });
    await stage.driver.expect({ event: 'gone', callback_id: 'p1' });
    first.send({ type: 'confirmation_expiring', callback_id: 'p1', expires_at: Date.now() / 1000 + 60 });
    await stage.ask(first, 'p2');
    assert.equal(stage.driver.all({ event: 'asked', callback_id: 'p1' }).length, 2, 'it is shown again when it expires soon');
    stage.driver.do({ do: 'dismiss', callback_id: 'p2' });
    const frame = await stage.action(first, 'dismiss');
    assert.equal(frame.callback_id, 'p2');
    first.reply(frame, { type: 'dismissed', ...dismissed, callback_id: 'p2' });
    await stage.driver.expect({ event: 'gone', callback_id: 'p2' });
  },

  'stays away after 4509': async (stage) => {
    const first = await stage.begin();
    first.socket.close(4509, 'replaced');
    await stage.driver.expect({ event: 'closed' });
    await stage.staysAway(600);
  },

  'comes back after 4408': async (stage) => {
    const first = await stage.begin();
    first.socket.close(4408, 'slow');
    await stage.join(await stage.next(), []);
  },

  'comes back at a random moment after 1012': async (stage) => {
    let connection = await stage.begin();
    let waitMs = 0;
    // After a break it would wait less than 250 ms. Five random moments within 3 s are not all that early.
    for (let count = 0; count < 5 && waitMs < 350; count += 1) {
      const attempt = stage.proxy.nextConnection();
      const closedAt = performance.now();
      connection.socket.close(1012, 'service restart');
      await stage.driver.within(attempt, 'the client connects');
      waitMs = performance.now() - closedAt;
      connection = await stage.next();
      await stage.join(connection, []);
      await stage.ask(connection, `marker ${count}`);
    }
    assert.ok(waitMs >= 350, `a random moment within 3 s, and not ${Math.round(waitMs)} ms`);
  },

  'comes back later after 1013': async (stage) => {
    const first = await stage.begin();
    first.socket.close(1013, 'Server connection limit reached');
    await stage.staysAway(1000);
  },

  'comes back with a new token after 4401': async (stage) => {
    stage.connect([], { tokens: ['one', 'two'] });
    for (const token of ['one', 'two']) {
      const connection = await stage.next();
      const frame = await stage.action(connection, 'authenticate');
      assert.equal(frame['token'], token);
      connection.reply(frame, { type: 'authenticated', user_id: 'ann', expires_at: Date.now() / 1000 + 600 });
      connection.socket.close(4401, 'token expired');
    }
  },

  'comes back at scattered moments': async (stage) => {
    await stage.begin();
    const waits: number[] = [];
    for (let count = 0; count < 12; count += 1) {
      const attempt = stage.proxy.nextConnection();
      const brokenAt = performance.now();
      stage.proxy.cut();
      await stage.driver.within(attempt, 'the client connects');
      waits.push(performance.now() - brokenAt);
      const connection = await stage.next();
      await stage.join(connection, []);
      await stage.ask(connection, `marker ${count}`);
    }
    // The middle half: a busy machine delays a few, which is no jitter.
    waits.sort((one, other) => one - other);
    const spread = (waits[8] ?? 0) - (waits[3] ?? 0);
    assert.ok(spread > 15, `random moments, and not ${waits.map(Math.round).join(', ')} ms`);
  },

  'ends when it is closed, whatever it is doing': async (stage) => {
    for (let count = 0; count < 30; count += 1) {
      const attempt = stage.proxy.nextConnection();
      stage.connect();
      await stage.driver.within(attempt, 'the client connects');
      // While it opens its connection, says who it is, or rests.
      await delay(count % 10);
      stage.driver.do({ do: 'close' });
      await stage.driver.expect({ event: 'closed' });
    }
  },

  'gives up a server that is silent': async (stage) => {
    stage.connect([], { user_id: 'ann', quiet_ms: 200 });
    await stage.join(await stage.next(), []);
    for (const connection of stage.proxy.connections) connection.blackHole();
    await stage.join(await stage.next(), []);
  },

  ...REFUSAL_CLAIMS,
};

/** @returns what is wrong, by claim; empty for a client that conforms */
export async function check(
  driver: Stage['driver'],
  names: readonly string[] = Object.keys(CLAIMS),
): Promise<Record<string, string>> {
  const problems: Record<string, string> = {};
  for (const name of names) {
    const claim = CLAIMS[name];
    if (!claim) throw new Error(`there is no claim "${name}"`);
    const stage = await Stage.open(driver);
    try {
      await claim(stage);
    } catch (error) {
      problems[name] = error instanceof Error ? error.message : String(error);
      if (name !== names.at(-1)) await driver.restart();
    } finally {
      await stage.close();
    }
  }
  return problems;
}
