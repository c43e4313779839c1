/** What every engine's `ConfirmationStore` must do: one decision for each confirmation (E2), pages that lose nothing. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '../../../src/protocol/confirmation.js';
import type { ConfirmationQuery } from '../../../src/notification/engine/confirmation-store.js';
import { ConfirmationConflictError } from '../../../src/notification/notification.errors.js';
import { question, type EngineUnderTest } from './engine-under-test.js';

export function describeConfirmationStore(node: EngineUnderTest): void {
  describe('opening a prompt', () => {
    it('stores a confirmation, emits it and lists it as pending', async () => {
      const { created, confirmation } = await node.engine.confirmations.open(
        question({ prompt: { stepResult: { message: 'Go?' }, metadata: { build: 7 } } }),
      );
      expect(created).toBe(true);
      expect(confirmation).toMatchObject({
        userId: 'ann',
        taskId: 'task-1',
        state: 'pending',
        prompt: { metadata: { build: 7 } },
      });
      expect(confirmation.decision).toBeUndefined();
      expect(confirmation.expiresAt).toBe(confirmation.createdAt + 60_000);
      expect(node.recorder.of('opened')).toEqual([{ kind: 'opened', confirmation }]);
      expect(await node.engine.confirmations.get(confirmation.callbackId)).toEqual(confirmation);
      expect((await node.engine.waiting('ann')).pendingIds).toEqual([confirmation.callbackId]);
      expect((await node.engine.counts()).pendingConfirmations).toBe(1);
    });

    it('counts what is pending by age', async () => {
      const ids = [await node.open(), await node.open()];
      const between = performance.now() + 20;
      await delay(220);
      ids.push(await node.open(), await node.open(), await node.open());
      await node.yes(ids[0] as string);
      await node.yes(ids[3] as string);
      const ages = [0, Math.floor(performance.now() - between), 60_000];
      expect(await node.engine.counts(ages)).toMatchObject({ pendingConfirmations: 3, younger: [0, 2, 3] });
    });

    it('does nothing the second time with the same callback id (E3)', async () => {
      const request = question();
      const first = await node.engine.confirmations.open(request);
      expect(await node.engine.confirmations.open(request)).toEqual({ created: false, confirmation: first.confirmation });
      expect(node.recorder.of('opened')).toHaveLength(1);
    });

    it('finds the prompt of the same key again, pending or decided, before and after a crash', async () => {
      const keyed = { key: 'deploy-7', fingerprint: 'a' };
      const callbackId = await node.open(keyed);
      expect(await node.open(keyed)).toBe(callbackId);
      await node.crash();
      expect(await node.open(keyed)).toBe(callbackId);
      await node.yes(callbackId);
      expect((await node.engine.confirmations.open(question(keyed))).confirmation).toMatchObject({
        callbackId,
        state: 'answered',
        decision: { proceed: true },
      });
      expect(await node.open({ ...keyed, userId: 'bob' })).not.toBe(callbackId);
    });

    it('refuses a key that stands for other contents', async () => {
      const callbackId = await node.open({ key: 'k', fingerprint: 'a' });
      await expect(node.engine.confirmations.open(question({ key: 'k', fingerprint: 'b' }))).rejects.toThrow(
        ConfirmationConflictError,
      );
      expect((await node.engine.waiting('ann')).pendingIds).toEqual([callbackId]);
    });

    it('opens one prompt when many open the same key at once', async () => {
      const opened = await Promise.all(
        Array.from({ length: 50 }, () => node.engine.confirmations.open(question({ key: 'k', fingerprint: 'f' }))),
      );
      expect(opened.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(opened.map(({ confirmation }) => confirmation.callbackId)).size).toBe(1);
    });
  });

  describe('deciding', () => {
    it('accepts one of many answers, and gives the others the decision (E2)', async () => {
      const callbackId = await node.open();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          node.engine.confirmations.decide({
            callbackId,
            scope: 'all',
            answeredBy: `user-${index}`,
            answer: { proceed: index % 2 === 0, feedback: `${index}` },
          }),
        ),
      );
      expect(answers.filter(({ status }) => status === 'accepted')).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 'already_resolved')).toHaveLength(49);
      expect(
        new Set(answers.map((answer) => answer.status !== 'not_found' && answer.confirmation.decision?.answeredBy)).size,
      ).toBe(1);
      expect(node.recorder.decisionsOf(callbackId)).toHaveLength(1);
      expect((await node.engine.counts()).pendingConfirmations).toBe(0);
    });

    it('lets answers, withdrawals, cancels and the deadline race to one decision (E2)', async () => {
      const ids = await Promise.all(
        Array.from({ length: 40 }, (_, index) => node.open({ timeoutMs: 5 + (index % 4), taskId: `task-${index}` })),
      );
      await Promise.all(
        ids.flatMap((id, index): Promise<unknown>[] =>
          [node.engine.confirmations.withdraw({ callbackId: id, scope: 'all' }), node.cancel(`task-${index}`), node.yes(id)].sort(
            () => (index % 3) - 1,
          ),
        ),
      );
      await node.recorder.nth('decided', ids.length);
      for (const id of ids) {
        const [decision, ...more] = node.recorder.decisionsOf(id);
        expect(more).toEqual([]);
        expect(await node.engine.confirmations.get(id)).toEqual(decision);
      }
    });

    it('keeps the whole answer', async () => {
      const callbackId = await node.open();
      const edited = { command: 'rm -rf ./build', flags: [null, 0.1] };
      const answer = { proceed: true, feedback: 'fine', choice: 'now', values: { b: [1, 'x'], a: null }, edited };
      await node.engine.confirmations.decide({ callbackId, scope: ['ann'], answeredBy: 'ann', answer });
      await node.restart();
      expect((await node.engine.confirmations.get(callbackId))?.decision).toMatchObject({
        outcome: 'answered',
        answeredBy: 'ann',
        ...answer,
      });
    });

    it('gives the same answerer the same reply for the same answer, whatever the order of its values (E3)', async () => {
      const callbackId = await node.open();
      const decide = (answeredBy: string | null, values: Record<string, number>, proceed = true) =>
        node.engine.confirmations.decide({ callbackId, scope: 'all', answeredBy, answer: { proceed, values } });
      expect((await decide('ann', { a: 1, b: 2 })).status).toBe('accepted');
      expect((await decide('ann', { b: 2, a: 1 })).status).toBe('repeated');
      expect((await decide('ann', { a: 1, b: 3 })).status).toBe('already_resolved');
      expect((await decide('ann', { a: 1, b: 2 }, false)).status).toBe('already_resolved');
      expect((await decide('bob', { a: 1, b: 2 })).status).toBe('already_resolved');
      expect((await decide(null, { a: 1, b: 2 })).status).toBe('already_resolved');
      expect(node.recorder.decisionsOf(callbackId)).toHaveLength(1);
    });

    it('takes an answer with another edited value for another answer', async () => {
      const callbackId = await node.open();
      const decide = (edited?: Json) =>
        node.engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', answer: { proceed: true, edited } });
      expect((await decide({ a: 1, b: 2 })).status).toBe('accepted');
      expect((await decide({ b: 2, a: 1 })).status).toBe('repeated');
      expect((await decide({ a: 1, b: 3 })).status).toBe('already_resolved');
      expect((await decide()).status).toBe('already_resolved');
    });

    it('records when a confirmation was first seen, once, over a crash', async () => {
      const callbackId = await node.open();
      expect(await node.engine.confirmations.markSeen(callbackId, ['bob'])).toBeUndefined();
      const seen = await node.engine.confirmations.markSeen(callbackId, ['ann']);
      expect(seen).toMatchObject({ state: 'pending', seenAt: expect.any(Number) });
      expect(await node.engine.confirmations.markSeen(callbackId, ['ann'])).toMatchObject({ seenAt: seen?.seenAt });
      await node.restart();
      expect(await node.engine.confirmations.get(callbackId)).toMatchObject({ state: 'pending', seenAt: seen?.seenAt });
    });

    describe('a dismissal', () => {
      const dismiss = (callbackId: string, until?: number) =>
        node.engine.confirmations.dismiss({ callbackId, scope: 'all', until });

      it('lasts until its moment, over a crash, and decides nothing', async () => {
        const callbackId = await node.open({ timeoutMs: 36_000_000 });
        const until = Date.now() + 3_600_000;
        expect(await dismiss(callbackId, until)).toMatchObject({ confirmation: { dismissedUntil: until } });
        await node.recorder.nth('dismissed');
        await node.restart();
        expect(await node.engine.confirmations.get(callbackId)).toMatchObject({ state: 'pending', dismissedUntil: until });
      });

      it('is refused outside the scope, for less than a minute, without an end, and after the decision', async () => {
        const callbackId = await node.open({ timeoutMs: 36_000_000 });
        const until = Date.now() + 3_600_000;
        expect(await node.engine.confirmations.dismiss({ callbackId, scope: ['bob'], until })).toEqual({ status: 'not_found' });
        expect(await dismiss(callbackId, Date.now() + 50_000)).toEqual({ status: 'too_soon' });
        expect(await dismiss(await node.open({ timeoutMs: null }))).toEqual({ status: 'endless' });
        await node.yes(callbackId);
        expect(await dismiss(callbackId, until)).toMatchObject({
          status: 'already_resolved',
          confirmation: { state: 'answered' },
        });
      });

      it('ends with the warning, after which there is no other', async () => {
        const until = Date.now() + 3_600_000;
        const dismissals: unknown[] = [];
        const soon = await node.openUntilExpiring({ timeoutMs: 1000 }, async (id) => {
          const confirmation = await node.engine.confirmations.get(id);
          for (const at of [undefined, until]) dismissals.push([await dismiss(id, at), Number(confirmation?.createdAt) + 800]);
        });
        for (const [reply, dismissedUntil] of dismissals.slice(-2) as [object, number][])
          expect(reply).toMatchObject({ confirmation: { dismissedUntil } });
        expect(await node.engine.confirmations.get(soon)).not.toHaveProperty('dismissedUntil');
        for (const at of [undefined, until]) {
          // A machine that stood still may be past the deadline.
          const { status } = await dismiss(soon, at);
          expect(status).toBe(node.recorder.decisionsOf(soon).length > 0 ? 'already_resolved' : 'warned');
        }
      });
    });

    it('stores the door of a decision, over a crash, and takes the same answer by another door for a repetition', async () => {
      const decide = (callbackId: string, via?: string) =>
        node.engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', via, answer: { proceed: true } });
      const answered = await node.open();
      expect((await decide(answered, 'slack')).status).toBe('accepted');
      expect(await decide(answered, 'rest')).toMatchObject({
        status: 'repeated',
        confirmation: { decision: { via: 'slack' } },
      });
      const unnamed = await node.open();
      await decide(unnamed);
      const withdrawn = await node.open();
      await node.engine.confirmations.withdraw({ callbackId: withdrawn, scope: 'all', via: 'rest' });
      const timedOut = await node.open({ timeoutMs: 1 });
      await node.recorder.nth('decided', 4);
      const cancelled = await node.open({ taskId: 'task-9' });
      await node.engine.tasks.cancel({
        taskId: 'task-9',
        scope: 'all',
        cancelledBy: 'ann',
        via: 'websocket',
        allowUnknown: true,
      });
      await node.crash();
      const later = await node.open({ taskId: 'task-9', userId: 'bob' });
      const vias = await Promise.all(
        [answered, unnamed, withdrawn, timedOut, cancelled, later].map(
          async (id) => (await node.engine.confirmations.get(id))?.decision?.via,
        ),
      );
      expect(vias).toEqual(['slack', 'service', 'rest', 'clock', 'websocket', 'websocket']);
    });

    it('counts all anonymous answerers as one', async () => {
      const callbackId = await node.open();
      expect((await node.yes(callbackId, null)).status).toBe('accepted');
      expect((await node.yes(callbackId, null)).status).toBe('repeated');
      expect((await node.yes(callbackId, 'ann')).status).toBe('already_resolved');
      expect((await node.engine.confirmations.get(callbackId))?.decision?.answeredBy).toBeUndefined();
    });

    it('knows nothing of what lies outside the scope', async () => {
      const callbackId = await node.open({ userId: 'bob' });
      const outside = { callbackId, scope: ['ann'], answeredBy: 'ann', answer: { proceed: true } };
      expect(await node.engine.confirmations.decide(outside)).toEqual({ status: 'not_found' });
      expect(await node.engine.confirmations.withdraw({ callbackId, scope: ['ann'] })).toEqual({ status: 'not_found' });
      expect(await node.engine.confirmations.decide({ ...outside, callbackId: 'unknown' })).toEqual({ status: 'not_found' });
      expect((await node.engine.confirmations.get(callbackId))?.state).toBe('pending');
    });

    it('withdraws, repeatably, with a reason, also by the id that was proposed', async () => {
      const request = question();
      const { callbackId } = (await node.engine.confirmations.open(request)).confirmation;
      const proposed = { callbackId: request.callbackId, openedFor: request.userId, scope: 'all' as const };
      expect((await node.engine.confirmations.withdraw({ ...proposed, reason: 'not needed' })).status).toBe('accepted');
      expect((await node.engine.confirmations.withdraw({ callbackId, scope: 'all' })).status).toBe('repeated');
      expect((await node.yes(callbackId)).status).toBe('already_resolved');
      expect((await node.engine.confirmations.get(callbackId))?.decision).toMatchObject({
        outcome: 'withdrawn',
        proceed: false,
        reason: 'not needed',
      });
    });

    it('keeps decisions over a crash (E1)', async () => {
      const ids = await Promise.all(Array.from({ length: 100 }, () => node.open()));
      await Promise.all(ids.slice(0, 50).map((id) => node.yes(id)));
      await node.crash();
      const states = await Promise.all(ids.map(async (id) => (await node.engine.confirmations.get(id))?.state));
      expect(states).toEqual([...Array(50).fill('answered'), ...Array(50).fill('pending')]);
      expect((await node.engine.counts()).pendingConfirmations).toBe(50);
    });
  });

  describe('listing', () => {
    /** The ids of all pages. */
    async function idsOf(query: ConfirmationQuery): Promise<string[]> {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await node.engine.confirmations.list({ ...query, cursor });
        expect(page.items.length).toBeLessThanOrEqual(query.limit);
        ids.push(...page.items.map(({ callbackId }) => callbackId));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return ids;
    }

    it('pages through what the scope covers, oldest first', async () => {
      const ids: string[] = [];
      for (let index = 0; index < 7; index += 1) ids.push(await node.open({ step: index }));
      await node.open({ userId: 'bob' });
      const count = async (query: Partial<ConfirmationQuery>): Promise<number> =>
        (await node.engine.confirmations.list({ scope: 'all', limit: 100, ...query })).items.length;
      expect(await idsOf({ scope: ['ann'], limit: 3 })).toEqual(ids);
      expect(await count({})).toBe(8);
      expect(await count({ scope: ['ann', 'bob'], state: 'pending' })).toBe(8);
      expect(await count({ scope: [] })).toBe(0);
    });

    it('pages through a list newest first, and from a moment on, in both directions', async () => {
      const ids: string[] = [];
      const users = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus'];
      for (const userId of users) ids.push(await node.open({ userId, taskId: `task-of-${userId}` }));
      const { items } = await node.engine.confirmations.list({ scope: 'all', limit: 100 });
      const openedBefore = items[4]?.createdAt;
      const older = items.filter(({ createdAt }) => createdAt < Number(openedBefore)).map(({ callbackId }) => callbackId);
      for (const scope of ['all', users] as const)
        for (const state of [undefined, 'pending'] as const) {
          const query = { scope, state, limit: 2 };
          expect(await idsOf(query)).toEqual(ids);
          expect(await idsOf({ ...query, newestFirst: true })).toEqual([...ids].reverse());
          expect(await idsOf({ ...query, openedBefore })).toEqual(older);
          expect(await idsOf({ ...query, openedBefore, newestFirst: true })).toEqual([...older].reverse());
        }
    });

    it('ends a page of confirmations or messages when it has its bytes, whatever the limit, and loses none', async () => {
      const [count, large] = [12, 'x'.repeat(1_000_000)];
      const ids: string[] = [];
      const messageIds = Array.from({ length: count }, () => randomUUID());
      for (let index = 0; index < count; index += 1) ids.push(await node.open({ prompt: { stepResult: { message: large } } }));
      for (const messageId of messageIds)
        await node.engine.broker.sendAcknowledged({ messageId, userId: 'ann', message: { type: 'note', large }, ttlMs: 60_000 });
      const pages = async <Item>(read: (cursor?: string) => Promise<{ items: Item[]; cursor?: string }>): Promise<Item[]> => {
        const seen: Item[] = [];
        let cursor: string | undefined;
        do {
          const page = await read(cursor);
          expect(page.items.length).toBeLessThanOrEqual(8);
          seen.push(...page.items);
          cursor = page.cursor;
        } while (cursor !== undefined);
        return seen;
      };
      for (const scope of ['all', ['ann']] as const) {
        const found = await pages((cursor) => node.engine.confirmations.list({ scope, limit: 1000, cursor }));
        expect(found.map(({ callbackId }) => callbackId)).toEqual(ids);
      }
      const messages = await pages((cursor) => node.engine.broker.unacknowledged('ann', 1000, cursor));
      expect(messages.map(({ messageId }) => messageId)).toEqual(messageIds);
    });

    it('filters by state and task, in every combination', async () => {
      const pending = await node.open({ taskId: 'a' });
      const answered = await node.open({ taskId: 'b' });
      await node.yes(answered);
      for (const scope of ['all', ['ann']] as const) {
        for (const [taskId, state, expected] of [
          [undefined, 'pending', [pending]],
          [undefined, 'answered', [answered]],
          ['a', undefined, [pending]],
          ['a', 'pending', [pending]],
          ['a', 'answered', []],
          ['b', 'answered', [answered]],
        ] as const) {
          const { items, cursor } = await node.engine.confirmations.list({ scope, taskId, state, limit: 10 });
          expect(items.map(({ callbackId }) => callbackId)).toEqual(expected);
          expect(cursor).toBeUndefined();
        }
      }
    });
  });
}
