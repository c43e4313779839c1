/** What every engine must do when it starts, stops and crashes (E1, E5, E6), and while its handler calls it. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { EngineUnavailableError } from '../../../src/notification/notification.errors.js';
import { EngineRecorder } from '../../support/engine-recorder.js';
import { question, type EngineUnderTest } from './engine-under-test.js';

export function describeLifecycle(node: EngineUnderTest): void {
  describe('a handler', () => {
    it('gets its own results when it calls the engine during an event, and so does every other caller', async () => {
      const answers: Promise<unknown>[] = [];
      const { recorder } = node;
      const decided = recorder.onDecided.bind(recorder);
      recorder.onDecided = (confirmation, isOurs) => {
        decided(confirmation, isOurs);
        answers.push(node.engine.confirmations.get(confirmation.callbackId).then((its) => expect(its).toEqual(confirmation)));
      };
      for (let round = 0; round < 20; round += 1) {
        await node.yes(await node.open());
        // These calls come while the handler's call is under way.
        answers.push(node.engine.waiting('ann').then(({ pendingIds }) => expect(pendingIds).toEqual([])));
        answers.push(node.engine.broker.position('news').then((position) => expect(position.offset).toBe(0)));
        await Promise.all(answers);
      }
      expect(answers).toHaveLength(60);
    });
  });

  describe('starting and stopping', () => {
    it('emits decisions again after a crash, in order, and none after a clean stop (E5)', async () => {
      const ids = [await node.open(), await node.open(), await node.open()];
      for (const id of ids) await node.yes(id);
      await node.crash();
      expect(node.recorder.of('decided').map(({ confirmation }) => confirmation.callbackId)).toEqual(ids);
      await node.restart();
      expect(node.recorder.of('decided')).toEqual([]);
    });

    it('emits decisions again when it was stopped before they were replayed (E5)', async () => {
      const callbackId = await node.open();
      await node.yes(callbackId);
      await node.fixture.crash();
      await (await node.fixture.start(new EngineRecorder())).close();
      await node.start();
      expect(node.recorder.decisionsOf(callbackId)).toHaveLength(1);
    });

    it('forgets decisions, cancellations and keys after the retention', async () => {
      await node.restart({ retentionMs: 30, historyTtlMs: 30 });
      const callbackId = await node.open({ key: 'k' });
      await node.yes(callbackId);
      await node.cancel('other');
      const waiting = await node.open({ taskId: 'waiting' });
      while ((await node.engine.confirmations.get(callbackId)) || (await node.engine.tasks.get('other')))
        await node.engine.ping();
      expect(await node.open({ key: 'k' })).not.toBe(callbackId);
      expect((await node.engine.confirmations.get(waiting))?.state).toBe('pending');
      expect(await node.engine.tasks.get('waiting')).toMatchObject({ userId: 'ann' });
    });

    it('forgets a task together with its messages, so that the next user of its name reads none of them', async () => {
      await node.restart({ retentionMs: 30 });
      const channel = 'task:reused';
      const since = await node.engine.broker.position(channel);
      await node.engine.tasks.claim('reused', 'ann');
      await node.engine.broker.publish({
        channel: parseChannel(channel),
        message: { type: 'note', text: 'of ann' },
        recoverable: true,
      });
      while (await node.engine.tasks.get('reused')) await node.engine.ping();
      for (const user of ['bob', 'cid']) {
        await node.engine.tasks.claim('reused', user);
        expect(await node.engine.broker.history({ channel, since, limit: 10 })).toMatchObject({ complete: false });
        await node.engine.broker.publish({ channel: parseChannel(channel), message: { type: 'note' }, recoverable: true });
      }
    });

    it('finishes calls in flight when it closes, and refuses later ones (E6)', async () => {
      const opening = node.engine.confirmations.open(question());
      await node.engine.close();
      const { confirmation } = await opening;
      await expect(node.engine.confirmations.open(question())).rejects.toThrow(EngineUnavailableError);
      await expect(node.engine.ping()).rejects.toThrow(EngineUnavailableError);
      await expect(node.engine.presence.count('ann')).rejects.toThrow(EngineUnavailableError);
      await node.start();
      expect((await node.engine.confirmations.get(confirmation.callbackId))?.state).toBe('pending');
    });
  });
}
