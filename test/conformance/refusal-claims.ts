/** Claims about what the server refuses, ends, or says in an order that is seldom. */
import { strict as assert } from 'node:assert';
import type { ClientFrame } from '../support/scripted-server.js';
import { sent, USER, type Stage } from './stage.js';

const refusal = (code: string): object => ({ type: 'error', code, message: code, timestamp: 0 });

export const REFUSAL_CLAIMS: Record<string, (stage: Stage) => Promise<void>> = {
  'answers while another channel is not available, and asks for that one again': async (stage) => {
    stage.connect(['news']);
    const connection = await stage.next();
    for (let hasUser = false; !hasUser;) {
      const frame = await stage.action(connection, 'subscribe');
      const names = (frame.channels ?? []).map(({ channel }) => channel);
      hasUser = !names.includes('news');
      if (hasUser) {
        const subscriptions = names.map((channel) => ({ channel, epoch: 'e', offset: 0, pending: [] }));
        connection.reply(frame, { type: 'subscription_confirmed', subscriptions });
      } else connection.reply(frame, refusal('UNAVAILABLE'));
    }
    await stage.ask(connection, 'p1');
    stage.driver.do({ do: 'answer', callback_id: 'p1', proceed: true });
    connection.reply(await stage.action(connection, 'confirm'), { type: 'confirmation_accepted', callback_id: 'p1' });
    await stage.driver.expect({ event: 'answered', callback_id: 'p1' });
    // It may have asked at once, or wait a while.
    const isNews = ({ channels }: ClientFrame): boolean => channels?.length === 1 && channels[0]?.channel === 'news';
    const asked = connection.frames.find(isNews);
    if (asked) connection.reply(asked, refusal('UNAVAILABLE'));
    while (!isNews(await stage.action(connection, 'subscribe')));
  },

  'asks again for a channel that the server ended for now, from its position': async (stage) => {
    const first = await stage.begin(['news']);
    first.send({ type: 'n', number: 1, channel: 'news', offset: 1 });
    await stage.driver.expect({ event: 'message', number: 1 });
    first.send({ type: 'unsubscribed', channel: 'news', reason: 'unavailable' });
    const { channels } = await stage.action(first, 'subscribe');
    assert.deepEqual(channels, [{ channel: 'news', recover: { epoch: 'e', offset: 1 } }]);
  },

  'keeps its user’s prompt that is shown before the reply to subscribe, and leaves out another user’s': async (stage) => {
    stage.connect();
    const first = await stage.next();
    const frame = await stage.action(first, 'subscribe');
    first.prompt('foreign', { user_id: 'bob' }); // until then the connection is anonymous, and sees everybody's
    await stage.ask(first, 'early');
    const subscriptions = [{ channel: USER, epoch: 'e', offset: 0, pending: [] }];
    first.reply(frame, { type: 'subscription_confirmed', subscriptions });
    await stage.ask(first, 'marker');
    assert.deepEqual(stage.driver.all({ event: 'gone' }), []);
    assert.deepEqual(stage.driver.all({ event: 'asked', callback_id: 'foreign' }), []);
  },

  'rejects the answer that is too large for the server, and does not send it again': async (stage) => {
    const first = await stage.begin();
    await stage.ask(first, 'p1');
    stage.driver.do({ do: 'answer', callback_id: 'p1', proceed: true });
    await stage.action(first, 'confirm');
    first.socket.close(1009, 'Max payload size exceeded');
    await stage.driver.expect({ event: 'rejected', callback_id: 'p1' });
    const again = await stage.next();
    await stage.join(again, [], { [USER]: { pending: ['p1'] } });
    await stage.ask(again, 'marker');
    assert.equal(sent(again, 'confirm'), 0);
  },
};
