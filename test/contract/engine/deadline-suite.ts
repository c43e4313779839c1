/** How every engine's `ConfirmationStore` applies deadlines (E2, E5). */
import { question, type EngineUnderTest } from './engine-under-test.js';

export function describeDeadlines(node: EngineUnderTest): void {
  describe('deadlines', () => {
    it.each([
      ['proceed', true],
      ['abort', false],
      ['error', false],
    ] as const)('decide without any call: %s', async (onTimeout, proceed) => {
      const callbackId = await node.open({ timeoutMs: 30, onTimeout, onTimeoutBy: 'setting' });
      const { confirmation } = await node.recorder.nth('decided');
      expect(confirmation).toMatchObject({ callbackId, state: 'timed_out', decision: { outcome: 'timed_out', proceed } });
      expect(confirmation.decision?.decidedAt).toBeGreaterThanOrEqual(confirmation.expiresAt ?? Infinity);
      expect((await node.yes(callbackId)).status).toBe('already_resolved');
    });

    it('win over an answer that comes later, even in the same millisecond (E2)', async () => {
      const callbackId = await node.open({ timeoutMs: 0 });
      expect(await node.yes(callbackId)).toMatchObject({ status: 'already_resolved', confirmation: { state: 'timed_out' } });
      expect(node.recorder.decisionsOf(callbackId)).toHaveLength(1);
    });

    it('decide a confirmation that is read after they passed', async () => {
      expect((await node.engine.confirmations.get(await node.open({ timeoutMs: 0 })))?.state).toBe('timed_out');
      await node.open({ timeoutMs: 0 });
      expect((await node.engine.waiting('ann')).pendingIds).toEqual([]);
      await node.open({ timeoutMs: 0 });
      expect((await node.engine.confirmations.list({ scope: ['ann'], limit: 10 })).items.map(({ state }) => state)).toEqual(
        Array(3).fill('timed_out'),
      );
    });

    it('are announced at 80 % of the time', async () => {
      const callbackId = await node.openUntilExpiring({ timeoutMs: 500 });
      const warnings = () => node.recorder.of('expiring').filter(({ confirmation }) => confirmation.callbackId === callbackId);
      expect(warnings()).toMatchObject([{ confirmation: { state: 'pending' } }]);
      expect(node.recorder.decisionsOf(callbackId)).toEqual([]);
      await node.recorder.until(() => node.recorder.decisionsOf(callbackId).length > 0);
      expect(warnings()).toHaveLength(1);
    });

    it('are applied in their order, also when an earlier one is set later', async () => {
      const [late, early] = await Promise.all([node.open({ timeoutMs: 90 }), node.open({ timeoutMs: 30 })]);
      await node.recorder.nth('decided', 2);
      expect(node.recorder.of('decided').map(({ confirmation }) => confirmation.callbackId)).toEqual([early, late]);
    });

    it('do not exist for a prompt that waits for ever', async () => {
      const callbackId = await node.open({ timeoutMs: null });
      expect((await node.engine.confirmations.get(callbackId))?.expiresAt).toBeNull();
    });

    it('are applied at the start and emitted when they passed while nothing ran, with proceed only where the caller itself gave it (E5)', async () => {
      const missed = { timeoutMs: 400, onTimeout: 'proceed' } as const;
      const [ofCaller, ofSetting, { confirmation }] = await Promise.all([
        node.open(missed),
        node.open({ ...missed, onTimeoutBy: 'setting' }),
        node.engine.confirmations.open(question({ ...missed, onTimeout: 'abort' })),
      ]);
      const { expiresAt } = confirmation;
      await node.engine.close();
      while (Date.now() <= (expiresAt ?? 0)) await new Promise((resolve) => setTimeout(resolve, 5));
      await node.start();
      const outcomes = new Map(
        node.recorder.of('decided').map(({ confirmation }) => [confirmation.callbackId, confirmation.decision?.proceed]),
      );
      expect(outcomes.size).toBe(3);
      expect(outcomes.get(ofCaller)).toBe(true);
      expect(outcomes.get(ofSetting)).toBe(false);
      expect(node.recorder.of('expiring')).toEqual([]);
    });
  });
}
