import { parseChannel } from '../../src/protocol/channels.js';
import type { Connection, Identity } from '../../src/notification/connection/connection.js';
import { Hub } from '../../src/notification/connection/hub.js';
import type { Publication } from '../../src/notification/engine/engine.js';
import { Delivery } from '../../src/notification/subscription/delivery.js';
import type { Recoveries } from '../../src/notification/subscription/recoveries.js';
import { SubscriptionIndex } from '../../src/notification/subscription/subscription-index.js';
import { Subscription } from '../../src/notification/subscription/subscription.js';
import { fakeConnection, nextTurn, type FakeConnection } from '../support/fake-connection.js';

const user = (userId: string): Identity => ({ kind: 'user', userId });

/** As after a recovery that ended at an offset. */
function makeLive(subscription: Subscription, offset: number): void {
  subscription.goLive(subscription.start({ epoch: 'e', offset }).recovering);
}

interface Site {
  people: Record<'ann' | 'ann2' | 'bob' | 'anonymous' | 'stranger', FakeConnection>;
  delivery: Delivery;
  /** The subscriptions for which a gap was found. */
  gaps: Subscription[];
  subscribe(person: FakeConnection, channel: string, ownerId?: string): Subscription;
}

/** A node with one connection of each kind. */
function makeSite(): Site {
  const people = {
    ann: fakeConnection(user('ann')),
    ann2: fakeConnection(user('ann')),
    bob: fakeConnection(user('bob')),
    anonymous: fakeConnection({ kind: 'anonymous' }),
    stranger: fakeConnection({ kind: 'unauthenticated' }),
  };
  const hub = new Hub();
  for (const { connection } of Object.values(people)) hub.add(connection);
  const index = new SubscriptionIndex();
  const gaps: Subscription[] = [];
  const recoveries = { catchUp: (subscription: Subscription) => void gaps.push(subscription) } as unknown as Recoveries;
  const subscribe = ({ connection }: { connection: Connection }, channel: string, ownerId?: string): Subscription => {
    const subscription = new Subscription(connection, channel, async (ended) => index.remove(ended));
    subscription.ownerId = ownerId;
    index.add(subscription);
    return subscription;
  };
  return { people, delivery: new Delivery(hub, index, recoveries), gaps, subscribe };
}

describe('delivery', () => {
  it.each([
    ['user:ann', undefined, ['ann', 'ann2', 'anonymous']],
    ['user:nobody', undefined, ['anonymous']],
    ['task:t', undefined, ['bob', 'anonymous']],
    ['task:t', 'ann', ['ann', 'ann2', 'bob', 'anonymous']],
    ['task:t', 'bob', ['bob', 'anonymous']],
    ['news', undefined, ['bob']],
    ['nothing', undefined, []],
    ['broadcast', undefined, ['ann', 'ann2', 'bob', 'anonymous']],
  ])('finds the audience of %s (task of %s), each connection once', (channel, owner, expected) => {
    const { delivery, people, subscribe } = makeSite();
    for (const name of ['task:t', 'news']) subscribe(people.bob, name);
    const names = [...delivery.audience(parseChannel(channel), owner)].map(
      (connection) => Object.entries(people).find(([, fake]) => fake.connection === connection)?.[0],
    );
    expect(names.sort()).toEqual([...expected].sort());
  });

  const publication = (channel: string, n: number, offset?: number, epoch = 'e'): Publication => ({
    channel: parseChannel(channel),
    text: JSON.stringify({ n }),
    ...(offset !== undefined && { position: { epoch, offset } }),
  });

  it('sends a subscription that is not live nothing but notes what came', async () => {
    const { delivery, people, subscribe } = makeSite();
    const { messages } = people.bob;
    const subscription = subscribe(people.bob, 'news');
    expect(delivery.publish(publication('news', 7, 7))).toBe(1);
    await nextTurn();
    expect(messages()).toEqual([]);
    expect(subscription.start({ epoch: 'e', offset: 9 }).recovering.position).toEqual({ epoch: 'e', offset: 6 });
  });

  it('sends a live subscription each publication once and in its place, and what has no position always', async () => {
    const { delivery, people, subscribe } = makeSite();
    const { messages } = people.bob;
    makeLive(subscribe(people.bob, 'news'), 5);
    for (const offset of [4, 5, 6, 6, 7]) delivery.publish(publication('news', offset, offset));
    delivery.publish(publication('news', 0));
    await nextTurn();
    expect(messages()).toEqual([{ n: 6, channel: 'news', offset: 6 }, { n: 7, channel: 'news', offset: 7 }, { n: 0 }]);
  });

  it.each([
    ['whose offset leaves some out', 9, 'e'],
    ['of another epoch', 6, 'next'],
  ])('reports a gap instead of sending a live subscription a publication %s', async (_what, offset, epoch) => {
    const { delivery, people, gaps, subscribe } = makeSite();
    const { messages } = people.bob;
    const subscription = subscribe(people.bob, 'news');
    makeLive(subscription, 5);
    delivery.publish(publication('news', 1, offset, epoch));
    await nextTurn();
    expect([messages(), gaps]).toEqual([[], [subscription]]);
  });

  it.each(['broadcast', 'user:ann', 'task:t'])(
    'sends %s without a position to a connection that was not given one',
    async (name) => {
      const { delivery, people, subscribe } = makeSite();
      makeLive(subscribe(people.ann2, name), 6);
      delivery.publish({ ...publication(name, 7, 7), audienceUserId: 'ann' });
      await nextTurn();
      expect(people.ann2.messages()).toEqual([{ n: 7, channel: name, offset: 7 }]);
      for (const { messages } of [people.ann, people.anonymous]) expect(messages()).toEqual([{ n: 7 }]);
    },
  );

  it('ends a subscription to a task that belongs to another user by now, and informs the client', async () => {
    const { delivery, people, subscribe } = makeSite();
    const { messages } = people.bob;
    makeLive(subscribe(people.bob, 'task:t', 'bob'), 6);
    expect(delivery.publish({ ...publication('task:t', 7, 7), audienceUserId: 'ann' })).toBe(3);
    expect(delivery.publish({ ...publication('task:t', 8, 8), audienceUserId: 'ann' })).toBe(3);
    await nextTurn();
    expect(messages()).toEqual([{ type: 'unsubscribed', channel: 'task:t', reason: 'forbidden' }]);
  });

  it('counts and reaches no connection that is closing', async () => {
    const { delivery, people } = makeSite();
    const closing = people.ann.connection.close({ code: 1012, reason: 'service restart' });
    expect(delivery.publish(publication('user:ann', 1))).toBe(2);
    await closing;
    expect(people.ann.messages()).toEqual([]);
  });
});
