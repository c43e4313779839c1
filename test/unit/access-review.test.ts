import type { Access } from '../../src/notification/access/access.js';
import { Rights } from '../../src/notification/access/rights.js';
import type { Tokens } from '../../src/notification/access/token-verifier.js';
import { Hub } from '../../src/notification/connection/hub.js';
import type { TaskStore } from '../../src/notification/engine/task-store.js';
import { EngineUnavailableError, NotificationError } from '../../src/notification/notification.errors.js';
import { resolveOptions } from '../../src/notification/notification.options.js';
import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import { AccessReview } from '../../src/notification/subscription/access-review.js';
import { SubscriptionIndex } from '../../src/notification/subscription/subscription-index.js';
import { Subscription } from '../../src/notification/subscription/subscription.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { fakeConnection, nextTurn } from '../support/fake-connection.js';

describe('a review of rights', () => {
  it('reviews every channel although the engine fails at one, and is repeated soon', async () => {
    const clock = new TestClock();
    const wheel = new TimerWheel(100, clock);
    let isAway = true;
    const tasks = {
      get: async () => {
        if (isAway) throw new EngineUnavailableError();
        return undefined;
      },
    } as unknown as TaskStore;
    const refuse = async (): Promise<never> => Promise.reject(new NotificationError('FORBIDDEN', 'no'));
    const access = { isOpen: false, assertCanSubscribe: refuse, assertCanReach: refuse } as unknown as Access;
    const tokens = { isRevoked: async () => false } as unknown as Tokens;
    const rights = new Rights(tokens, wheel);
    const hub = new Hub();
    const index = new SubscriptionIndex();
    const review = new AccessReview(resolveOptions({}), tasks, access, rights, tokens, hub, index, wheel);
    review.onModuleInit();
    const { connection } = fakeConnection({ kind: 'user', userId: 'ann' });
    hub.add(connection);
    const channels = ['task:a', ...Array.from({ length: 20 }, (_, number) => `news-${number}`)];
    for (const channel of channels) index.add(new Subscription(connection, channel, async (ended) => index.remove(ended)));
    rights.onReview('ann');
    await nextTurn();
    expect([...index.of(connection).keys()]).toEqual(['task:a']);
    isAway = false;
    clock.advanceBy(11_000);
    await nextTurn();
    expect(index.of(connection).size).toBe(0);
  });
});
