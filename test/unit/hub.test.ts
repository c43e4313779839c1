import { OutboundFrame } from '../../src/notification/connection/frame.js';
import { Hub } from '../../src/notification/connection/hub.js';
import type { Identity } from '../../src/notification/connection/connection.js';
import { fakeConnection, nextTurn, type FakeConnection } from '../support/fake-connection.js';

const user = (userId: string): Identity => ({ kind: 'user', userId });

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

  it('sends a recovering subscription nothing but notes what came', async () => {
    const { hub, people } = makeHub();
    const { connection, messages } = people.bob;
    hub.subscribe(connection, 'news');
    const subscription = { phase: 'recovering' as const, seen: 0 };
    connection.subscriptions.set('news', subscription);
    expect(hub.publish('news', new OutboundFrame({ n: 7 }), { epoch: 'e', offset: 7 })).toBe(1);
    await nextTurn();
    expect([messages(), subscription.seen]).toEqual([[], 7]);
  });

  it('sends a live subscription each position once, and what has none always', async () => {
    const { hub, people } = makeHub();
    const { connection, messages } = people.bob;
    hub.subscribe(connection, 'news');
    connection.subscriptions.set('news', { phase: 'live', position: { epoch: 'e', offset: 5 } });
    for (const offset of [4, 5, 6, 6, 7]) hub.publish('news', new OutboundFrame({ offset }), { epoch: 'e', offset });
    hub.publish('news', new OutboundFrame({ offset: 1 }), { epoch: 'next', offset: 1 });
    hub.publish('news', new OutboundFrame({ progress: 0.5 }));
    await nextTurn();
    expect(messages()).toEqual([{ offset: 6 }, { offset: 7 }, { offset: 1 }, { progress: 0.5 }]);
  });

  it('counts and reaches no connection that is closing', async () => {
    const { hub, people } = makeHub();
    const closing = people.ann.connection.close({ code: 1012, reason: 'service restart' });
    expect(hub.publish('user:ann', new OutboundFrame({ n: 1 }))).toBe(2);
    await closing;
    expect(people.ann.messages()).toEqual([]);
  });
});
