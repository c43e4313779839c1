/** What every engine's `TaskStore` must do. */
import { question, type EngineUnderTest } from './engine-under-test.js';

export function describeTaskStore(node: EngineUnderTest): void {
  describe('tasks', () => {
    it('belong to whom back-end code named first', async () => {
      expect(await node.engine.tasks.get('t')).toBeUndefined();
      expect(await node.engine.tasks.claim('t', 'ann')).toEqual({ taskId: 't', userId: 'ann', cancelled: false });
      expect(await node.engine.tasks.claim('t', 'bob')).toMatchObject({ userId: 'ann' });
      await node.open({ taskId: 'u', userId: 'bob' });
      expect(await node.engine.tasks.get('u')).toMatchObject({ userId: 'bob' });
    });

    it('cancel their pending prompts, and later ones at once, until they are resumed', async () => {
      const [first, second] = [await node.open(), await node.open({ userId: 'bob' })];
      const result = await node.cancel('task-1', { cancelledBy: 'ann', scope: ['ann'], reason: 'enough', allowUnknown: false });
      expect(result).toMatchObject({
        status: 'cancelled',
        task: { taskId: 'task-1', userId: 'ann', cancelled: true, reason: 'enough' },
      });
      const kinds = node.recorder.events.map(({ kind }) => kind);
      expect(kinds).toEqual(['opened', 'opened', 'task', 'decided', 'decided']);
      for (const id of [first, second])
        expect((await node.engine.confirmations.get(id))?.decision).toMatchObject({
          outcome: 'cancelled',
          proceed: false,
          answeredBy: 'ann',
          reason: 'enough',
        });
      const later = await node.engine.confirmations.open(question());
      expect(later).toMatchObject({ created: true, confirmation: { state: 'cancelled', decision: { proceed: false } } });
      expect(node.recorder.of('opened')).toHaveLength(2);
      expect(node.recorder.decisionsOf(later.confirmation.callbackId)).toHaveLength(1);
      expect(await node.engine.tasks.resume('task-1')).toMatchObject({ status: 'resumed', task: { cancelled: false } });
      expect((await node.engine.confirmations.open(question())).confirmation.state).toBe('pending');
      expect(node.recorder.of('task').map(({ task }) => task.cancelled)).toEqual([true, false]);
    });

    it('are cancelled once, and remembered over a crash (E3)', async () => {
      await node.engine.tasks.claim('t', 'ann');
      expect((await node.cancel('t')).status).toBe('cancelled');
      expect((await node.cancel('t')).status).toBe('already_cancelled');
      expect(node.recorder.of('task')).toHaveLength(1);
      await node.crash();
      expect(await node.engine.tasks.get('t')).toMatchObject({ cancelled: true });
      expect((await node.engine.confirmations.open(question({ taskId: 't' }))).confirmation.state).toBe('cancelled');
    });

    it('are not found outside the scope, like unknown ones', async () => {
      const callbackId = await node.open({ userId: 'bob', taskId: 't' });
      expect(await node.cancel('t', { scope: ['ann'], allowUnknown: true })).toEqual({ status: 'not_found' });
      expect(await node.cancel('unknown', { allowUnknown: false })).toEqual({ status: 'not_found' });
      expect((await node.engine.confirmations.get(callbackId))?.state).toBe('pending');
      expect(node.recorder.of('task')).toEqual([]);
    });

    it('can be cancelled before they have a user where that is allowed; the event names the user whom the canceller named', async () => {
      expect(await node.cancel('t', { namedUserId: 'cat' })).toMatchObject({ status: 'cancelled', task: { userId: null } });
      expect(node.recorder.of('task')[0]?.task).toMatchObject({ userId: null, namedUserId: 'cat', cancelled: true });
      expect(await node.engine.confirmations.open(question({ taskId: 't' }))).toMatchObject({
        confirmation: { state: 'cancelled' },
      });
      expect(await node.engine.tasks.get('t')).toMatchObject({ userId: 'ann', cancelled: true });
    });

    it('are resumed without an event when they were not cancelled', async () => {
      expect(await node.engine.tasks.resume('unknown')).toEqual({ status: 'not_found' });
      await node.engine.tasks.claim('t', 'ann');
      expect(await node.engine.tasks.resume('t')).toMatchObject({ status: 'not_cancelled', task: { cancelled: false } });
      expect(node.recorder.of('task')).toEqual([]);
    });
  });
}
