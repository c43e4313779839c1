import { CLOSE } from '../../src/protocol/codes.js';
import { OutboundFrame } from '../../src/notification/connection/frame.js';
import type { FrameSource } from '../../src/notification/connection/frame-source.js';
import { fakeConnection, nextTurn } from '../support/fake-connection.js';

describe('a connection that closes', () => {
  it('answers the frame in work, sends what waits, and closes with its code, once', async () => {
    const { connection, calls, messages } = fakeConnection();
    let finish!: () => void;
    connection.handleWith(async (text) => {
      await new Promise<void>((resolve) => (finish = resolve));
      connection.reply({ answered: text });
    });
    connection.receive('one');
    connection.receive('two');
    connection.send(new OutboundFrame({ waiting: true }));
    const closing = connection.close(CLOSE.SERVICE_RESTART);
    await connection.close(CLOSE.REPLACED);
    await nextTurn();
    expect(calls).toEqual([]);
    finish();
    await closing;
    expect(messages()).toEqual([{ waiting: true }, { answered: 'one' }]);
    expect(calls).toEqual(['close 1012 service restart']);
    connection.receive('three');
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

  it('tells whoever asked, once, and ends what was to follow a reply', async () => {
    const { connection } = fakeConnection();
    const told: string[] = [];
    connection.onClosed(() => told.push('closed'));
    const following = (function* (): FrameSource {
      yield new OutboundFrame({});
    })();
    connection.followReplyWith('following', following);
    connection.closed();
    connection.closed();
    expect(told).toEqual(['closed']);
    expect(following.next().done).toBe(true);
  });
});

describe('a connection that is being shown its prompts again', () => {
  it('is not shown what was decided while a subscribe that fails was going to show all again', async () => {
    const { connection } = fakeConnection();
    const [underWay, failing] = [connection.beginRedelivery(), connection.beginRedelivery()];
    connection.forget('decided before');
    connection.endRedelivery(failing);
    connection.forget('decided after');
    expect([...underWay]).toEqual(['decided before', 'decided after']);
    const next = connection.beginRedelivery();
    connection.endOtherRedeliveries(next);
    connection.forget('decided later');
    expect([underWay.size, [...next]]).toEqual([2, ['decided later']]);
  });

  it('is shown none twice, and none that was decided meanwhile', async () => {
    const { connection, messages } = fakeConnection();
    const settled = connection.beginRedelivery();
    settled.add('shown again');
    connection.showOnce('shown again', new OutboundFrame({ id: 'shown again' }));
    connection.showOnce('new', new OutboundFrame({ id: 'new' }));
    connection.forget('decided');
    expect([...settled]).toEqual(['shown again', 'new', 'decided']);
    connection.endRedelivery(settled);
    connection.showOnce('shown again', new OutboundFrame({ id: 'opened anew' }));
    await nextTurn();
    expect(messages()).toEqual([{ id: 'new' }, { id: 'opened anew' }]);
  });
});
