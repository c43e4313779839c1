/** Joining and leaving while the engine fails and connections close. */
import type { Access } from '../../src/notification/access/access.js';
import { Hub } from '../../src/notification/connection/hub.js';
import type { Identity } from '../../src/notification/connection/connection.js';
import type {
  Broker,
  Confirmation,
  ConfirmationStore,
  Engine,
  Presence,
  TaskStore,
} from '../../src/notification/engine/engine.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import type { AccessReview } from '../../src/notification/subscription/access-review.js';
import { Identities } from '../../src/notification/subscription/identities.js';
import { PendingPrompts } from '../../src/notification/subscription/pending-prompts.js';
import { Recoveries } from '../../src/notification/subscription/recoveries.js';
import { SubscriptionIndex } from '../../src/notification/subscription/subscription-index.js';
import { NotificationMetrics } from '../../src/notification/notification.metrics.js';
import { Subscriptions, type Target } from '../../src/notification/subscription/subscriptions.js';
import { channelOfUser, parseChannel } from '../../src/protocol/channels.js';
import { fakeConnection, type FakeConnection } from '../support/fake-connection.js';

interface Site extends FakeConnection {
  subscriptions: Subscriptions;
  identities: Identities;
  index: SubscriptionIndex;
  pending: PendingPrompts;
  hub: Hub;
  /** How often the engine watches each channel, and for whom it counts the connection. */
  watched: Map<string, number>;
  users: Set<string>;
  /** The engine's calls that fail from now on. */
  failing: Set<string>;
  /** What the engine waits for before it watches a channel. */
  hold: { until?: Promise<void> };
}

function makeSite(identity?: Identity, maxSubscriptions = 10): Site {
  const watched = new Map<string, number>();
  const users = new Set<string>();
  const failing = new Set<string>();
  const hold: Site['hold'] = {};
  const reach = (call: string): void => {
    if (failing.has(call)) throw new EngineUnavailableError();
  };
  const count = (channel: string, by: number): void => {
    // As an engine, which does not know what the count was raised for.
    const now = Math.max((watched.get(channel) ?? 0) + by, 0);
    if (now === 0) watched.delete(channel);
    else watched.set(channel, now);
  };
  const parts = {
    watch: async (channel: string) => {
      count(channel, 1);
      await hold.until;
      reach(`watch ${channel}`);
    },
    unwatch: async (channel: string) => {
      count(channel, -1);
      reach('unwatch');
    },
    connect: async (_id: string, userId: string) => {
      users.add(userId);
      reach('connect');
      return { reconnected: false };
    },
    disconnect: async (_id: string, userId: string) => {
      users.delete(userId);
      reach('disconnect');
    },
    describe: async () => undefined,
    position: async (channel: string) => {
      reach(`position ${channel}`);
      return { epoch: 'e', offset: 0 };
    },
    waiting: async () => {
      reach('waiting');
      return { position: { epoch: 'e', offset: 0 }, pendingIds: ['old', 'older'], hasMessages: false };
    },
  };
  const broker = parts as unknown as Broker;
  const engine = { broker, presence: parts as unknown as Presence, waiting: parts.waiting } as unknown as Engine;
  const hub = new Hub();
  const index = new SubscriptionIndex();
  const metrics = new NotificationMetrics();
  const fake = fakeConnection(identity);
  hub.add(fake.connection);
  const pending = new PendingPrompts({} as ConfirmationStore);
  const identities = new Identities(engine, hub, index, metrics);
  const review = { assertMaySubscribe: async () => undefined } as unknown as AccessReview;
  const access = {} as Access;
  const recoveries = new Recoveries(broker, {} as TaskStore, index, metrics);
  const subscriptions = new Subscriptions(broker, { maxSubscriptions }, access, review, identities, index, pending, recoveries);
  return { ...fake, subscriptions, identities, index, pending, hub, watched, users, failing, hold };
}

const targets = (...channels: string[]): Target[] => channels.map((channel) => ({ channel: parseChannel(channel) }));
const ann = { kind: 'user', userId: 'ann' } as const;

/** What is left of a connection. */
function remains({ watched, users, index, connection }: Site): object {
  return { watched: [...watched], users: [...users], subscriptions: [...index.of(connection).keys()] };
}

const nothing = { watched: [], users: [], subscriptions: [] };

describe('a join', () => {
  it.each(['watch news', 'position news'])('a join that fails at %s leaves nothing with the engine or the node', async (call) => {
    const site = makeSite();
    site.failing.add(call);
    await expect(site.subscriptions.subscribe(site.connection, targets('news'))).rejects.toThrow(EngineUnavailableError);
    expect(remains(site)).toEqual(nothing);
  });

  it('a failed join ends the subscriptions that its frame began, and keeps earlier ones', async () => {
    const site = makeSite();
    await site.subscriptions.subscribe(site.connection, targets('standing'));
    site.failing.add('position bad');
    const joining = site.subscriptions.subscribe(site.connection, targets('standing', 'good', 'bad'));
    await expect(joining).rejects.toThrow(EngineUnavailableError);
    expect(remains(site)).toEqual({ ...nothing, watched: [['standing', 1]], subscriptions: ['standing'] });
  });

  it('counts towards the limit from its beginning, and not after its failure', async () => {
    const site = makeSite(undefined, 3);
    site.failing.add('position bad');
    await expect(site.subscriptions.subscribe(site.connection, targets('bad'))).rejects.toThrow(EngineUnavailableError);
    const tooMany = site.subscriptions.subscribe(site.connection, targets('a', 'b', 'c'));
    await expect(tooMany).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await site.subscriptions.subscribe(site.connection, targets('a', 'b'));
    expect(remains(site)).toMatchObject({ subscriptions: ['a', 'b'] });
  });

  it('takes the place of a subscription that a review of rights ended', async () => {
    const site = makeSite(undefined, 2);
    await site.subscriptions.subscribe(site.connection, targets('a'));
    await expect(site.subscriptions.subscribe(site.connection, targets('b'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await site.index.get(site.connection, 'a')?.revoke();
    await site.subscriptions.subscribe(site.connection, targets('b'));
    expect(remains(site)).toEqual({ ...nothing, watched: [['b', 1]], subscriptions: ['b'] });
  });

  it('is undone when the connection closes meanwhile', async () => {
    const site = makeSite();
    let go!: () => void;
    site.hold.until = new Promise<void>((resolve) => (go = resolve));
    const joining = site.subscriptions.subscribe(site.connection, targets('news'));
    site.hub.remove(site.connection);
    site.connection.closed();
    go();
    await joining;
    expect(remains(site)).toEqual(nothing);
  });

  it('watches nothing on a connection that has closed before it begins', async () => {
    const site = makeSite();
    let go!: () => void;
    site.hold.until = new Promise<void>((resolve) => (go = resolve));
    const joining = site.subscriptions.subscribe(site.connection, targets('user:ann', 'news'));
    site.hub.remove(site.connection);
    site.connection.closed();
    go();
    await joining;
    expect(remains(site)).toEqual(nothing);
  });
});

describe('the reply to a subscribe', () => {
  it('lists a prompt that is opened before the reply, and not one that is decided before it', async () => {
    const site = makeSite();
    let go!: () => void;
    site.hold.until = new Promise<void>((resolve) => (go = resolve));
    const joining = site.subscriptions.subscribe(site.connection, targets('user:ann', 'news'));
    const open = (callbackId: string, userId: string): void =>
      site.pending.onOpened({ callbackId, userId, taskId: 'task-1' } as Confirmation);
    open('new', 'ann');
    open('decided', 'ann');
    open('foreign', 'bob');
    site.pending.onDecided('decided');
    site.pending.onDecided('old');
    go();
    expect(await joining).toMatchObject([
      { channel: 'user:ann', pending: ['older', 'new'] },
      { channel: 'news', pending: [] },
    ]);
  });
});

describe('an identity', () => {
  it('is known to the engine once, with the subscription to the user’s channel', async () => {
    const site = makeSite();
    await site.identities.becomeAnonymous(site.connection);
    await site.subscriptions.subscribe(site.connection, targets('user:ann'));
    await site.subscriptions.subscribe(site.connection, targets('user:ann'));
    expect(remains(site)).toEqual({ watched: [['user:ann', 1]], users: ['ann'], subscriptions: ['user:ann'] });
    await site.subscriptions.unsubscribe(site.connection, channelOfUser('ann'));
    expect(remains(site)).toEqual({ ...nothing, watched: [['*', 1]] });
    expect(site.connection.identity).toEqual({ kind: 'anonymous' });
  });

  it.each(['watch user:ann', 'connect'])(
    'an identity that the engine refuses at %s leaves the connection as it was',
    async (call) => {
      const site = makeSite();
      await site.identities.becomeAnonymous(site.connection);
      site.failing.add(call);
      await expect(site.identities.becomeUser(site.connection, ann)).rejects.toThrow(EngineUnavailableError);
      expect(remains(site)).toEqual({ ...nothing, watched: [['*', 1]] });
      expect(site.connection.identity).toEqual({ kind: 'anonymous' });
    },
  );

  it('is taken back when the connection closes, before its registration has ended as well', async () => {
    const site = makeSite();
    await site.subscriptions.subscribe(site.connection, targets('user:ann', 'news'));
    let go!: () => void;
    site.hold.until = new Promise<void>((resolve) => (go = resolve));
    const changing = site.identities.becomeUser(site.connection, { kind: 'user', userId: 'bob' });
    site.hub.remove(site.connection);
    site.connection.closed();
    go();
    await changing;
    expect(remains(site)).toEqual(nothing);
    expect([...site.hub.ofUser('bob')]).toHaveLength(0);
  });
});
