/** Messages that are to be acknowledged: they are kept, and shown on every connect, until one device acknowledges them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

let serial = 0;
const fresh = (name: string): string => `${name}-${++serial}`;
const unacknowledged = async (): Promise<number> => (await service.notifications.getStatus()).unacknowledgedMessages;

describe('a message to be acknowledged', () => {
  it('is shown on every connect of every device, oldest first, until one of them acknowledges it', async () => {
    const user = fresh('user');
    const ids: unknown[] = [];
    for (let n = 1; n <= 150; n += 1) {
      ids.push((await service.notifications.sendToUser(user, { type: 'invoice', n }, { requiresAck: true })).messageId);
    }
    for (let round = 0; round < 2; round += 1) {
      const device = await service.connectAs(user);
      await device.next({ type: 'invoice', n: 150 });
      const shown = device.received.filter(({ type }) => type === 'invoice');
      expect(shown.map(({ message_id }) => message_id)).toEqual(ids);
      expect(shown[0]).toMatchObject({ requires_ack: true, target_user_id: user });
      device.socket.terminate();
    }
    const device = await service.connectAs(user);
    await device.next({ type: 'invoice', n: 150 });
    for (const message_id of ids.slice(0, 149)) {
      expect(await device.request({ action: 'ack', message_id })).toMatchObject({ type: 'acknowledged', message_id });
    }
    const last = await service.connectAs(user);
    await last.next({ type: 'invoice', n: 150 });
    await last.settled();
    expect(last.received.filter(({ type }) => type === 'invoice')).toHaveLength(1);
  });

  it('reaches a user who was away, and the awaited send hears of the acknowledgement', async () => {
    const user = fresh('user');
    const sent = service.notifications.sendToUser(user, { type: 'invoice' }, { requiresAck: true, ackTimeoutMs: 15_000 });
    const client = await service.connectAs(user);
    const { message_id } = await client.next('invoice');
    await client.request({ action: 'ack', message_id });
    expect(await sent).toMatchObject({ acknowledged: true, messageId: message_id });
  });

  it('stays after the sender has stopped waiting for its acknowledgement', async () => {
    const user = fresh('user');
    const sent = await service.notifications.sendToUser(user, { type: 'invoice' }, { requiresAck: true, ackTimeoutMs: 5 });
    expect(sent).toMatchObject({ acknowledged: false, deliveredTo: 0 });
    const client = await service.connectAs(user);
    expect(await client.next('invoice')).toMatchObject({ message_id: sent.messageId });
  });

  it('is neither shown nor acknowledged after its time to live', async () => {
    const user = fresh('user');
    const kept = await service.notifications.sendToUser(user, { type: 'kept' }, { requiresAck: true });
    const { messageId } = await service.notifications.sendToUser(user, { type: 'offer' }, { requiresAck: true, ttlMs: 50 });
    let shown: boolean;
    do {
      const client = await service.connectAs(user);
      await client.next('kept');
      await client.settled();
      shown = client.pendingFrames('offer').length > 0;
      client.socket.terminate();
    } while (shown);
    const client = await service.connectAs(user);
    expect(await client.request({ action: 'ack', message_id: messageId })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await client.request({ action: 'ack', message_id: kept.messageId })).toMatchObject({ type: 'acknowledged' });
  });

  it('changes nothing when a foreign, an unknown or a repeated id is acknowledged', async () => {
    const [user, stranger] = [fresh('user'), fresh('user')];
    const { messageId: message_id } = await service.notifications.sendToUser(user, { type: 'invoice' }, { requiresAck: true });
    const before = await unacknowledged();
    const [mine, theirs] = [await service.connectAs(user), await service.connectAs(stranger)];
    expect(await theirs.request({ action: 'ack', message_id })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await mine.request({ action: 'ack', message_id: 'unknown' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await unacknowledged()).toBe(before);
    expect(await mine.request({ action: 'ack', message_id })).toMatchObject({ type: 'acknowledged' });
    expect(await mine.request({ action: 'ack', message_id })).toMatchObject({ type: 'acknowledged' });
    expect(await unacknowledged()).toBe(before - 1);
  });

  it('survives a restart, and so does its acknowledgement', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'acknowledged-'));
    try {
      const before = await startService({ dataDir });
      const user = fresh('user');
      await before.notifications.sendToUser(user, { type: 'first' }, { requiresAck: true });
      const second = await before.notifications.sendToUser(user, { type: 'second' }, { requiresAck: true });
      const client = await before.connectAs(user);
      await client.request({ action: 'ack', message_id: (await client.next('first'))['message_id'] });
      await before.stop();
      const after = await startService({ dataDir });
      const back = await after.connectAs(user);
      expect(await back.next('second')).toMatchObject({ message_id: second.messageId });
      await back.settled();
      expect(back.pendingFrames('first')).toEqual([]);
      await after.stop();
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
