/** What a subscription leaves behind when the engine fails under it. */
import type { Access } from '../../src/notification/access/access.js';
import { Hub } from '../../src/notification/connection/hub.js';
import type { Engine } from '../../src/notification/engine/engine.js';
import { Subscriptions } from '../../src/notification/subscription/subscriptions.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import type { ResolvedOptions } from '../../src/notification/notification.options.js';
import { Recoveries } from '../../src/notification/subscription/recoveries.js';
import { fakeConnection } from '../support/fake-connection.js';

it('a subscription whose reading fails is neither watched nor counted', async () => {
  const watched = new Set<string>();
  let away = true;
  const engine = {
    watch: async (channel: string) => void watched.add(channel),
    unwatch: async (channel: string) => void watched.delete(channel),
    position: async () => {
      if (away) throw new EngineUnavailableError();
      return { epoch: 'e', offset: 0 };
    },
  } as unknown as Engine;
  const hub = new Hub();
  const { connection } = fakeConnection({ kind: 'user', userId: 'ann' });
  hub.add(connection);
  const sessions = new Subscriptions(engine, hub, {} as Access, new Recoveries(engine, hub), {
    maxSubscriptions: 1,
  } as ResolvedOptions);
  for (const channel of ['a', 'b']) {
    await expect(sessions.subscribeChannel(connection, channel)).rejects.toThrow(EngineUnavailableError);
  }
  expect([watched.size, connection.subscriptions.size]).toEqual([0, 0]);
  away = false;
  await sessions.subscribeChannel(connection, 'c');
  await expect(sessions.subscribeChannel(connection, 'd')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect([...watched]).toEqual(['c']);
});
