import { CLOSE } from '../../src/protocol/codes.js';
import { OutboundFrame } from '../../src/notification/connection/frame.js';
import { endingWith, type FrameGenerator } from '../../src/notification/connection/frame-source.js';
import type { Confirmation, Engine } from '../../src/notification/engine/engine.js';
import { AlreadyResolvedError } from '../../src/notification/notification.errors.js';
import { redeliver } from '../../src/notification/subscription/redelivery.js';
import type { WheelTimer } from '../../src/notification/pacing/timer-wheel.js';
import type { ConfirmationView } from '../../src/protocol/messages.js';
import { fakeConnection, nextTurn } from '../support/fake-connection.js';

describe('a connection that closes', () => {
  it('answers the frame in work, sends what waits, and closes with its code, once', async () => {
    const { connection, calls, messages } = fakeConnection();
    let finish!: () => void;
    connection.incoming.handleWith(async (_, text) => {
      await new Promise<void>((resolve) => (finish = resolve));
      connection.reply({ answered: text });
    });
    connection.incoming.receive('one');
    connection.incoming.receive('two');
    connection.send(new OutboundFrame({ waiting: true }));
    const closing = connection.close(CLOSE.SERVICE_RESTART);
    await connection.close(CLOSE.REPLACED);
    await nextTurn();
    expect(calls).toEqual([]);
    finish();
    await closing;
    expect(messages()).toEqual([{ waiting: true }, { answered: 'one' }]);
    expect(calls).toEqual(['close 1012 service restart']);
    connection.incoming.receive('three');
    connection.send(new OutboundFrame({ late: true }));
    await nextTurn();
    expect(messages()).toHaveLength(2);
  });

  it('is cut at once when its peer does not read', () => {
    const { connection, calls } = fakeConnection();
    connection.send(new OutboundFrame({ waiting: true }));
    connection.cut(CLOSE.SLOW);
    expect(calls).toEqual(['close 4408 slow']);
    connection.closed();
    connection.cut(CLOSE.SLOW);
    expect(calls).toHaveLength(1);
  });

  it('calls each listener once, at once if it is closed, and ends the sources that wait for a reply', () => {
    const { connection } = fakeConnection();
    const calls: string[] = [];
    connection.onClosed(() => calls.push('before'));
    const following = (function* (): FrameGenerator {
      yield new OutboundFrame({});
    })();
    connection.followReplyWith('following', following);
    connection.closed();
    connection.closed();
    connection.onClosed(() => calls.push('after'));
    expect(calls).toEqual(['before', 'after']);
    expect(following.next().done).toBe(true);
  });
});

describe('a connection with a timer', () => {
  it('cancels it when it is replaced, dropped, or the connection closes', () => {
    const { connection } = fakeConnection();
    const cancelled: string[] = [];
    const timer = (name: string): WheelTimer => ({ cancel: () => cancelled.push(name) });
    connection.timers.keep('authentication', timer('first'));
    connection.timers.keep('authentication', timer('second'));
    connection.timers.drop('authentication');
    connection.timers.keep('authentication', timer('third'));
    connection.closed();
    connection.timers.keep('access review', timer('late'));
    expect(cancelled).toEqual(['first', 'second', 'third', 'late']);
  });
});

describe('a connection that decides', () => {
  const announcement = new OutboundFrame({ type: 'announcement' });

  it.each([
    ['is not sent the announcement of what it decides', 'confirmation', 'c', undefined, 0],
    ['is sent the announcement of another confirmation', 'confirmation', 'other', undefined, 1],
    ['is sent the announcement of a task of the same name', 'task', 'c', undefined, 1],
    ['is sent the announcement if its reply is an error', 'confirmation', 'c', new Error('no reply'), 1],
    [
      'is not sent the announcement if its reply is an error with the decision',
      'confirmation',
      'c',
      new AlreadyResolvedError({ callback_id: 'c' } as ConfirmationView),
      0,
    ],
  ] as const)('%s', async (_title, subject, id, failure, expected) => {
    const { connection, messages } = fakeConnection();
    const deciding = connection.decide('confirmation', 'c', async () => {
      connection.announce(subject, id, announcement);
      if (failure) throw failure;
    });
    if (failure) await expect(deciding).rejects.toBe(failure);
    else await deciding;
    await nextTurn();
    expect(messages()).toHaveLength(expected);
    connection.announce('confirmation', 'c', announcement);
    await nextTurn();
    expect(messages()).toHaveLength(expected + 1);
  });
});

describe('a connection with a redelivery', () => {
  it('notes a change for every reading that is under way, and for none that has ended', () => {
    const { connection } = fakeConnection();
    const [underWay, failing] = [connection.changes.begin(), connection.changes.begin()];
    connection.changes.note('before');
    failing.end();
    connection.changes.note('after');
    expect(['before', 'after'].map((id) => [underWay.has(id), failing.has(id)])).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  it('ends the reading of a redelivery that is replaced before its first frame', () => {
    const { connection } = fakeConnection();
    const changes = connection.changes.begin();
    const source = (function* (): FrameGenerator {
      yield new OutboundFrame({});
    })();
    connection.followReplyWith(
      'redelivery',
      endingWith(source, () => changes.end()),
    );
    connection.changes.note('prompt');
    expect(changes.has('prompt')).toBe(true);
    connection.unfollow('redelivery');
    expect(connection.changes.has('prompt')).toBe(false);
  });

  it('reads prompts again that look different since they were read', async () => {
    const read = { callbackId: 'c', userId: 'ann', expiresAt: null, createdAt: 0, prompt: { stepResult: {} } } as Confirmation;
    const engine = { confirmations: { list: async () => ({ items: [{ ...read, dismissedUntil: 1000 }] }) } } as unknown as Engine;
    const shown = async (outdates: boolean): Promise<unknown> => {
      const { connection, messages } = fakeConnection({ kind: 'user', userId: 'ann' });
      const changes = connection.changes.begin();
      const waiting = { pendingIds: ['c'], pending: [read], hasMessages: false };
      connection.followReplyWith('redelivery', redeliver(engine, connection, 'ann', waiting, changes));
      if (outdates) connection.changes.outdate();
      connection.startFollowing();
      await nextTurn();
      await nextTurn();
      return (messages()[0] as { dismissed_until?: number } | undefined)?.dismissed_until;
    };
    expect(await Promise.all([shown(false), shown(true)])).toEqual([undefined, 1]);
  });

  it('does not show live what the redelivery has shown', async () => {
    const { connection, messages } = fakeConnection();
    const changes = connection.changes.begin();
    changes.add('shown again');
    connection.showOnce('shown again', new OutboundFrame({ id: 'shown again' }));
    connection.showOnce('new', new OutboundFrame({ id: 'new' }));
    expect(changes.has('new')).toBe(true);
    changes.end();
    connection.showOnce('shown again', new OutboundFrame({ id: 'opened later' }));
    await nextTurn();
    expect(messages()).toEqual([{ id: 'new' }, { id: 'opened later' }]);
  });
});
