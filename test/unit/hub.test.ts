import { Hub } from '../../src/notification/connection/hub.js';
import type { Identity } from '../../src/notification/connection/connection.js';
import { fakeConnection } from '../support/fake-connection.js';

const user = (userId: string): Identity => ({ kind: 'user', userId });

describe('a hub', () => {
  it('says what is measured of each connection', () => {
    const hub = new Hub();
    const [{ connection: ann }, { connection: somebody }] = [fakeConnection(user('ann')), fakeConnection()];
    for (const connection of [ann, somebody]) hub.add(connection);
    for (const roundTripMs of [20, 60]) ann.roundTrips.record(roundTripMs);
    const [first, second] = [...hub.facts()];
    expect(first).toEqual({
      connectionId: ann.id,
      userId: 'ann',
      address: '127.0.0.1',
      openedAt: ann.connectedAt,
      roundTripMs: 60,
      roundTripSpreadMs: 40,
      queueBytes: 0,
    });
    expect(second).toMatchObject({ connectionId: somebody.id, userId: undefined, roundTripMs: undefined });
  });

  it('moves a connection that changes its identity, and forgets one that is removed', () => {
    const hub = new Hub();
    const [{ connection }, { connection: other }] = [fakeConnection(), fakeConnection(user('ann'))];
    hub.add(connection);
    hub.add(other);
    expect([...hub.watching('bob')]).toEqual([connection]);
    hub.identify(connection, user('ann'));
    expect([...hub.watching('bob')]).toEqual([]);
    expect([...hub.ofUser('ann')]).toHaveLength(2);
    hub.remove(connection);
    expect([[...hub.ofUser('ann')].length, hub.byId(connection.id), hub.size]).toEqual([1, undefined, 1]);
    hub.identify(connection, user('bob'));
    expect([[...hub.ofUser('bob')].length, hub.size]).toEqual([0, 1]);
  });
});
