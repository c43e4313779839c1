/** Where a subscription starts, when its channel is caught up before the reply to `subscribe` is sent. */
import { Subscription } from '../../src/notification/subscription/subscription.js';
import { fakeConnection } from '../support/fake-connection.js';

const at = (offset: number) => ({ epoch: 'e', offset });

it('starts where the channel stands, though the channel was caught up while the client joined', () => {
  for (const offset of [0, 7]) {
    const subscription = new Subscription(fakeConnection().connection, 'news', async () => undefined);
    expect(subscription.lacks(at(offset))).toBe(false);
    expect(subscription.start(at(offset))).toMatchObject({ recovering: { position: at(offset) }, head: at(offset) });
  }
});

it('starts before the oldest publication that arrived while the client joined', () => {
  const subscription = new Subscription(fakeConnection().connection, 'news', async () => undefined);
  expect(subscription.place(at(7))).toBe('known');
  expect(subscription.lacks(at(8))).toBe(false);
  expect(subscription.start(at(8))).toMatchObject({ recovering: { position: at(6) }, head: at(8) });
});
