import { Hub, type Delivered } from '../../src/notification/connection/hub.js';
import type { Subscription } from '../../src/notification/connection/subscription.js';
import type { Identity } from '../../src/notification/connection/connection.js';
import { fakeConnection, nextTurn, type FakeConnection } from '../support/fake-connection.js';

const user = (userId: string): Identity => ({ kind: 'user', userId });

/** As after a recovery that ended at an offset. */
function makeLive(subscription: Subscription | undefined, offset: number): void {
  if (!subscription) throw new Error('there is no subscription');
  subscription.goLive(subscription.start({ epoch: 'e', offset }).recovering);
}

/** A hub with one connection of each kind. */
function makeHub(): { hub: Hub; people: Record<'ann' | 'ann2' | 'bob' | 'anonymous' | 'stranger', FakeConnection> } {
  const people = {
    ann: fakeConnection(user('ann')),
    ann2: fakeConnection(user('ann')),
    bob: fakeConnection(user('bob')),
    anonymous: fakeConnection({ kind: 'anonymous' }),
    stranger: fakeConnection({ kind: 'unauthenticated' }),
  };
  const hub = new Hub();
  for (const { connection } of Object.values(people)) hub.add(connection);
  return { hub, people };
}

describe('a hub', () => {
  it.each([
    ['user:ann', undefined, ['ann', 'ann2', 'anonymous']],
    ['user:nobody', undefined, ['anonymous']],
    ['task:t', undefined, ['bob', 'anonymous']],
    ['task:t', 'ann', ['ann', 'ann2', 'bob', 'anonymous']],
    ['task:t', 'bob', ['bob', 'anonymous']],
    ['news', undefined, ['bob']],
    ['nothing', undefined, []],
    ['broadcast', undefined, ['ann', 'ann2', 'bob', 'anonymous']],
  ])('knows the audience of %s (task of %s), each once', (channel, owner, expected) => {
    const { hub, people } = makeHub();
    for (const name of ['task:t', 'news']) hub.subscribe(people.bob.connection, name);
    const names = [...hub.audience(channel, owner)].map(
      (connection) => Object.entries(people).find(([, fake]) => fake.connection === connection)?.[0],
    );
    expect(names.sort()).toEqual([...expected].sort());
  });

  it('moves a connection that becomes somebody else, and forgets one that goes', () => {
    const { hub, people } = makeHub();
    const { connection } = people.anonymous;
    hub.identify(connection, user('ann'));
    expect([...hub.watching('bob')]).not.toContain(connection);
    expect(hub.ofUser('ann').size).toBe(3);
    hub.subscribe(connection, 'news');
    hub.remove(connection);
    expect([hub.ofUser('ann').size, [...hub.audience('news')], hub.byId(connection.id), hub.size]).toEqual([2, [], undefined, 4]);
    expect(connection.subscriptions.size).toBe(0);
    // Gone is gone: what is done to it afterwards brings it back nowhere.
    hub.identify(connection, user('bob'));
    hub.subscribe(connection, 'news');
    expect([hub.ofUser('bob').size, [...hub.audience('news')], hub.size]).toEqual([1, [], 4]);
  });

  const publication = (channel: string, n: number, offset?: number, epoch = 'e'): Delivered => ({
    channel,
    text: JSON.stringify({ n }),
    ...(offset !== undefined && { position: { epoch, offset } }),
  });
  const noGap = (): void => expect('a gap').toBeUndefined();

  it('sends a subscription that is not live nothing but notes what came', async () => {
    const { hub, people } = makeHub();
    const { connection, messages } = people.bob;
    const subscription = hub.subscribe(connection, 'news');
    expect(hub.publish(publication('news', 7, 7), undefined, noGap)).toBe(1);
    await nextTurn();
    expect(messages()).toEqual([]);
    expect(subscription?.start({ epoch: 'e', offset: 9 }).recovering.position).toEqual({ epoch: 'e', offset: 6 });
  });

  it('sends a live subscription each publication once and in its place, and what has no position always', async () => {
    const { hub, people } = makeHub();
    const { connection, messages } = people.bob;
    makeLive(hub.subscribe(connection, 'news'), 5);
    for (const offset of [4, 5, 6, 6, 7]) hub.publish(publication('news', offset, offset), undefined, noGap);
    hub.publish(publication('news', 0), undefined, noGap);
    await nextTurn();
    expect(messages()).toEqual([{ n: 6, channel: 'news', offset: 6 }, { n: 7, channel: 'news', offset: 7 }, { n: 0 }]);
  });

  it.each([
    ['whose offset leaves some out', 9, 'e'],
    ['of another epoch', 6, 'next'],
  ])('reports a gap instead of sending a live subscription a publication %s', async (_what, offset, epoch) => {
    const { hub, people } = makeHub();
    const { connection, messages } = people.bob;
    makeLive(hub.subscribe(connection, 'news'), 5);
    const gaps: unknown[] = [];
    hub.publish(publication('news', 1, offset, epoch), undefined, (behind) => gaps.push(behind));
    await nextTurn();
    expect([messages(), gaps]).toEqual([[], [connection]]);
  });

  it.each(['broadcast', 'user:ann', 'task:t'])(
    'sends %s without a position to a connection that was not given one',
    async (name) => {
      const { hub, people } = makeHub();
      makeLive(hub.subscribe(people.ann2.connection, name), 6);
      hub.publish({ ...publication(name, 7, 7), audienceUserId: 'ann' }, undefined, noGap);
      await nextTurn();
      expect(people.ann2.messages()).toEqual([{ n: 7, channel: name, offset: 7 }]);
      for (const { messages } of [people.ann, people.anonymous]) expect(messages()).toEqual([{ n: 7 }]);
    },
  );

  it('ends a subscription to a task that is another user’s by now, and says so', async () => {
    const { hub, people } = makeHub();
    const { connection, messages } = people.bob;
    makeLive(hub.subscribe(connection, 'task:t', 'bob'), 6);
    expect(hub.publish({ ...publication('task:t', 7, 7), audienceUserId: 'ann' }, undefined, noGap)).toBe(3);
    expect(hub.publish({ ...publication('task:t', 8, 8), audienceUserId: 'ann' }, undefined, noGap)).toBe(3);
    await nextTurn();
    expect(messages()).toEqual([{ type: 'unsubscribed', channel: 'task:t', reason: 'forbidden' }]);
  });

  it('counts and reaches no connection that is closing', async () => {
    const { hub, people } = makeHub();
    const closing = people.ann.connection.close({ code: 1012, reason: 'service restart' });
    expect(hub.publish(publication('user:ann', 1), undefined, noGap)).toBe(2);
    await closing;
    expect(people.ann.messages()).toEqual([]);
  });
});
