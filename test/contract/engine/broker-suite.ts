/** What every engine's `Broker` must do: positions, order (E4) and history of publications, and acknowledged messages. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { NEWS } from '../../support/news.js';
import type { JsonObject } from '../../../src/protocol/confirmation.js';
import type { EngineUnderTest } from './engine-under-test.js';

export function describeBroker(node: EngineUnderTest): void {
  describe('publishing', () => {
    const publish = (message: string, channel = 'news', recoverable = true) =>
      node.engine.broker.publish({ channel: parseChannel(channel), message: { type: 'note', message }, recoverable });
    const texts = async (offset: number, epoch: string, limit = 100) => {
      const result = await node.engine.broker.history({ channel: 'news', since: { epoch, offset }, limit });
      return result.complete
        ? result.publications.map(({ text, offset: at }) => `${at}:${String((JSON.parse(text) as JsonObject)['message'])}`)
        : 'incomplete';
    };

    it('gives offsets in order, emits publications in that order (E4), and counts the connections reached', async () => {
      node.recorder.reached = 3;
      const before = await node.engine.broker.position('news');
      const results = await Promise.all(['a', 'b', 'c'].map((message) => publish(message)));
      expect(results.map(({ deliveredTo }) => deliveredTo)).toEqual([3, 3, 3]);
      expect(results.map(({ position }) => position)).toEqual(
        [1, 2, 3].map((step) => ({ epoch: before.epoch, offset: before.offset + step })),
      );
      expect(node.recorder.of('publication').map(({ publication }) => publication.message['message'])).toEqual(['a', 'b', 'c']);
      expect(node.recorder.of('publication')[2]?.publication.position).toEqual(results[2]?.position);
    });

    it('gives a position that is at or after every publication emitted before the call', async () => {
      const { offset: start } = await node.engine.broker.position('news');
      const emitted = (): number => node.recorder.of('publication').at(-1)?.publication.position?.offset ?? start;
      let going = true;
      const asking = Array.from({ length: 3 }, async () => {
        for (let last = start; going;) {
          const before = Math.max(last, emitted());
          last = (await node.engine.broker.position('news')).offset;
          expect(last).toBeGreaterThanOrEqual(before);
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
      const publishing = async (): Promise<void> => {
        try {
          for (let message = 1; message <= 50; message += 1) await publish(String(message));
        } finally {
          going = false;
        }
      };
      await Promise.all([publishing(), ...asking]);
      expect((await node.engine.broker.position('news')).offset).toBe(start + 50);
    });

    it('keeps the order of plain and unrecoverable messages of a channel', async () => {
      await Promise.all(['1', '2', '3', '4'].map((message, index) => publish(message, 'news', index % 2 === 0)));
      expect(node.recorder.of('publication').map(({ publication }) => publication.message['message'])).toEqual([
        '1',
        '2',
        '3',
        '4',
      ]);
    });

    it('recovers everything after a position, by pages and over a crash, also from before the first publication', async () => {
      const { epoch, offset } = await node.engine.broker.position('news');
      for (const message of ['a', 'b', 'c']) await publish(message);
      expect(await texts(offset, epoch)).toEqual([`${offset + 1}:a`, `${offset + 2}:b`, `${offset + 3}:c`]);
      await node.crash();
      expect(await texts(offset + 1, epoch)).toEqual([`${offset + 2}:b`, `${offset + 3}:c`]);
      expect(await texts(offset, epoch, 1)).toEqual([`${offset + 1}:a`]);
      expect(await texts(offset + 3, epoch)).toEqual([]);
    });

    it('never hides a gap: another epoch, a position ahead, or trimmed history is incomplete', async () => {
      await node.restart({ historySize: 2 });
      const { epoch, offset } = await node.engine.broker.position('news');
      for (const message of ['a', 'b', 'c']) await publish(message);
      expect(await texts(offset, 'another')).toBe('incomplete');
      expect(await texts(offset + 4, epoch)).toBe('incomplete');
      expect(await texts(offset, epoch)).toBe('incomplete');
      expect(await texts(offset + 1, epoch)).toHaveLength(2);
      const gone = await node.engine.broker.history({ channel: 'news', since: { epoch, offset }, limit: 10 });
      expect(gone.head).toEqual({ epoch, offset: offset + 3 });
    });

    it('gives history in pages that are bounded in bytes, of one message at least', async () => {
      const since = await node.engine.broker.position('news');
      for (const text of ['x'.repeat(200_000), 'a', 'y'.repeat(100_000), 'z'.repeat(100_000), 'b']) await publish(text);
      const lengths: number[] = [];
      for (let at = since, more = true; more;) {
        const page = await node.engine.broker.history({ channel: 'news', since: at, limit: 100 });
        if (!page.complete) throw new Error('something is missing');
        lengths.push(page.publications.length);
        at = { ...at, offset: page.publications.at(-1)?.offset ?? at.offset };
        more = at.offset < page.head.offset;
      }
      expect(lengths).toEqual([1, 3, 1]);
    });

    it('never hides a gap: what is past its time is incomplete, even when the channel itself was forgotten', async () => {
      await node.restart({ historyTtlMs: 20, retentionMs: 20 });
      const before = await node.engine.broker.position('news');
      await publish('a');
      while ((await texts(before.offset, before.epoch)) !== 'incomplete') await node.engine.ping();
      await publish('b');
      expect(await texts(before.offset, before.epoch)).toBe('incomplete');
    });

    it("names a task's user as part of the audience", async () => {
      await node.engine.tasks.claim('t', 'ann');
      await publish('x', 'task:t', false);
      await publish('y', 'task:t');
      await publish('z', 'task:unknown', false);
      expect(node.recorder.of('publication').map(({ publication }) => publication.audienceUserId)).toEqual([
        'ann',
        'ann',
        undefined,
      ]);
    });

    it('passes on the conflation key that the publisher chose, and none where it chose none', async () => {
      const request = { channel: NEWS, message: { type: 'note' }, recoverable: false };
      await node.engine.broker.publish({ ...request, conflationKey: 'note one' });
      await node.engine.broker.publish(request);
      expect(node.recorder.of('publication').map(({ publication }) => publication.conflationKey)).toEqual([
        'note one',
        undefined,
      ]);
    });

    it('gives unrecoverable messages no position and no place in history', async () => {
      const { epoch, offset } = await node.engine.broker.position('news');
      expect(await publish('x', 'news', false)).toEqual({ deliveredTo: 1 });
      expect(await node.engine.broker.position('news')).toEqual({ epoch, offset });
      expect(await texts(offset, epoch)).toEqual([]);
    });
  });

  describe('acknowledged messages', () => {
    const send = (messageId: string, ttlMs = 60_000) =>
      node.engine.broker.sendAcknowledged({ messageId, userId: 'ann', message: { type: 'mail', id: messageId }, ttlMs });

    it('are kept until acknowledged, over a crash, and emitted once (E3)', async () => {
      expect(await send('m1')).toEqual({ deliveredTo: 1 });
      await send('m1');
      await send('m2');
      expect(node.recorder.of('message').map(({ message }) => message.messageId)).toEqual(['m1', 'm2']);
      await node.crash();
      const first = await node.engine.broker.unacknowledged('ann', 1);
      expect(first.items).toMatchObject([{ messageId: 'm1', userId: 'ann', message: { type: 'mail', id: 'm1' } }]);
      const rest = await node.engine.broker.unacknowledged('ann', 1, first.cursor);
      expect(rest.items.map(({ messageId }) => messageId)).toEqual(['m2']);
      expect(rest.cursor).toBeUndefined();
      expect((await node.engine.counts()).unacknowledgedMessages).toBe(2);
    });

    it('are acknowledged once; a repetition gets its own reply and no event (E3)', async () => {
      await send('m1');
      expect(await node.engine.broker.ack('m1', ['bob'])).toBe('not_found');
      expect(await node.engine.broker.isAcknowledged('m1', 'ann')).toBe(false);
      expect(await node.engine.broker.ack('m1', ['ann'])).toBe('acknowledged');
      expect(await node.engine.broker.isAcknowledged('m1', 'ann')).toBe(true);
      expect(await node.engine.broker.isAcknowledged('unknown', 'ann')).toBe(false);
      expect(await node.engine.broker.ack('m1', 'all')).toBe('repeated');
      expect(await node.engine.broker.ack('unknown', 'all')).toBe('not_found');
      expect(node.recorder.of('acknowledged')).toEqual([{ kind: 'acknowledged', messageId: 'm1', userId: 'ann' }]);
      expect((await node.engine.broker.unacknowledged('ann', 10)).items).toEqual([]);
      expect((await node.engine.counts()).unacknowledgedMessages).toBe(0);
    });

    it('are read together with all else that waits for the user', async () => {
      await Promise.all([send('m1'), send('m2')]);
      const callbackIds = [await node.open(), await node.open(), await node.open()];
      await node.open({ userId: 'bob' });
      await node.engine.broker.publish({ channel: parseChannel('user:ann'), message: { type: 'note' }, recoverable: true });
      const position = await node.engine.broker.position('user:ann');
      const { pending, ...waiting } = await node.engine.waiting('ann');
      expect(waiting).toEqual({ position, pendingIds: callbackIds, hasMessages: true });
      if (pending) expect(pending.map(({ callbackId }) => callbackId)).toEqual(callbackIds);
      for (const messageId of ['m1', 'm2']) await node.engine.broker.ack(messageId, 'all');
      expect(await node.engine.waiting('ann')).toMatchObject({ hasMessages: false });
      await node.engine.confirmations.withdraw({ callbackId: callbackIds[0] ?? '', scope: 'all' });
      expect(await node.engine.waiting('ann')).toMatchObject({ pendingIds: callbackIds.slice(1) });
      await node.engine.broker.publish({ channel: parseChannel('user:ann'), message: { type: 'note' }, recoverable: true });
      expect(await node.engine.waiting('ann')).toMatchObject({ position: { offset: position.offset + 1 } });
      await send('m3');
      expect(await node.engine.waiting('ann')).toMatchObject({ hasMessages: true });
    });

    it('are gone when their time has passed', async () => {
      await send('m1', 0);
      expect((await node.engine.broker.unacknowledged('ann', 10)).items).toEqual([]);
      expect(await node.engine.broker.ack('m1', 'all')).toBe('not_found');
    });
  });
}
