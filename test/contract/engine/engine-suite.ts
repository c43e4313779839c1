/**
 * What every engine must do, whatever it is made of: the guarantees E1-E6 of `engine.ts`, run against each engine.
 * Titles name the guarantee where one is meant.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json, JsonObject } from '../../../src/protocol/confirmation.js';
import type { ConfirmationQuery } from '../../../src/notification/engine/confirmation-store.js';
import type { Engine, EngineHandler, EngineSettings, OpenRequest } from '../../../src/notification/engine/engine.js';
import { ConfirmationConflictError, EngineUnavailableError } from '../../../src/notification/notification.errors.js';
import { EngineRecorder } from '../../support/engine-recorder.js';

export interface EngineFixture {
  /** Starts a node on the fixture's state; the node before it has been closed or has crashed. */
  start(handler: EngineHandler, settings?: Partial<EngineSettings>): Promise<Engine>;
  /** The node goes as `kill -9` would take it: what it has not stored is lost. */
  crash(): Promise<void>;
  /** Stops whatever runs and removes the state. */
  close(): Promise<void>;
}

export function question(overrides: Partial<OpenRequest> = {}): OpenRequest {
  return {
    callbackId: randomUUID(),
    userId: 'ann',
    taskId: 'task-1',
    step: 1,
    prompt: { stepResult: { message: 'Deploy?' } },
    timeoutMs: 60_000,
    onTimeout: 'abort',
    onTimeoutBy: 'caller',
    ...overrides,
  };
}

export function describeEngine(name: string, createFixture: () => Promise<EngineFixture>): void {
  describe(`the ${name} engine`, () => {
    let fixture: EngineFixture;
    let engine: Engine;
    let recorder: EngineRecorder;

    const start = async (settings?: Partial<EngineSettings>): Promise<void> => {
      recorder = new EngineRecorder();
      engine = await fixture.start(recorder, settings);
      await engine.replayDecisions();
    };
    const restart = async (): Promise<void> => {
      await engine.close();
      await start();
    };
    const crash = async (): Promise<void> => {
      await fixture.crash();
      await start();
    };
    const open = async (overrides?: Partial<OpenRequest>): Promise<string> =>
      (await engine.confirmations.open(question(overrides))).confirmation.callbackId;
    const yes = (callbackId: string, answeredBy: string | null = 'ann') =>
      engine.confirmations.decide({ callbackId, scope: 'all', answeredBy, answer: { proceed: true } });
    const cancel = (taskId: string, overrides = {}) =>
      engine.tasks.cancel({ taskId, scope: 'all', cancelledBy: null, allowUnknown: true, ...overrides });

    beforeEach(async () => {
      fixture = await createFixture();
      await start();
    });
    afterEach(() => fixture.close());

    describe('opening a prompt', () => {
      it('stores it, tells it and shows it as pending', async () => {
        const { created, confirmation } = await engine.confirmations.open(
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
        expect(recorder.of('opened')).toEqual([{ kind: 'opened', confirmation }]);
        expect(await engine.confirmations.get(confirmation.callbackId)).toEqual(confirmation);
        expect((await engine.waiting('ann')).pendingIds).toEqual([confirmation.callbackId]);
        expect((await engine.counts()).pendingConfirmations).toBe(1);
      });

      it('counts what is pending by age', async () => {
        const ids = [await open(), await open()];
        const between = performance.now() + 20;
        await delay(220);
        ids.push(await open(), await open(), await open());
        await yes(ids[0] as string);
        await yes(ids[3] as string);
        const ages = [0, Math.floor(performance.now() - between), 60_000];
        expect(await engine.counts(ages)).toMatchObject({ pendingConfirmations: 3, younger: [0, 2, 3] });
      });

      it('does nothing the second time with the same callback id (E3)', async () => {
        const request = question();
        const first = await engine.confirmations.open(request);
        expect(await engine.confirmations.open(request)).toEqual({ created: false, confirmation: first.confirmation });
        expect(recorder.of('opened')).toHaveLength(1);
      });

      it('finds the prompt of the same key again, pending or decided, before and after a crash', async () => {
        const keyed = { key: 'deploy-7', fingerprint: 'a' };
        const callbackId = await open(keyed);
        expect(await open(keyed)).toBe(callbackId);
        await crash();
        expect(await open(keyed)).toBe(callbackId);
        await yes(callbackId);
        expect((await engine.confirmations.open(question(keyed))).confirmation).toMatchObject({
          callbackId,
          state: 'answered',
          decision: { proceed: true },
        });
        expect(await open({ ...keyed, userId: 'bob' })).not.toBe(callbackId);
      });

      it('refuses a key that stands for other contents', async () => {
        const callbackId = await open({ key: 'k', fingerprint: 'a' });
        await expect(engine.confirmations.open(question({ key: 'k', fingerprint: 'b' }))).rejects.toThrow(
          ConfirmationConflictError,
        );
        expect((await engine.waiting('ann')).pendingIds).toEqual([callbackId]);
      });

      it('opens one prompt when many open the same key at once', async () => {
        const opened = await Promise.all(
          Array.from({ length: 50 }, () => engine.confirmations.open(question({ key: 'k', fingerprint: 'f' }))),
        );
        expect(opened.filter(({ created }) => created)).toHaveLength(1);
        expect(new Set(opened.map(({ confirmation }) => confirmation.callbackId)).size).toBe(1);
      });
    });

    describe('deciding', () => {
      it('accepts one answer and tells the others what stands (E2)', async () => {
        const callbackId = await open();
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            engine.confirmations.decide({
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
        expect(recorder.decisionsOf(callbackId)).toHaveLength(1);
        expect((await engine.counts()).pendingConfirmations).toBe(0);
      });

      it('lets answers, withdrawals, cancels and the deadline race to one decision (E2)', async () => {
        const ids = await Promise.all(
          Array.from({ length: 40 }, (_, index) => open({ timeoutMs: 5 + (index % 4), taskId: `task-${index}` })),
        );
        await Promise.all(
          ids.flatMap((id, index): Promise<unknown>[] =>
            [engine.confirmations.withdraw({ callbackId: id, scope: 'all' }), cancel(`task-${index}`), yes(id)].sort(
              () => (index % 3) - 1,
            ),
          ),
        );
        await recorder.nth('decided', ids.length);
        for (const id of ids) {
          const [decision, ...more] = recorder.decisionsOf(id);
          expect(more).toEqual([]);
          expect(await engine.confirmations.get(id)).toEqual(decision);
        }
      });

      it('keeps the whole answer', async () => {
        const callbackId = await open();
        const edited = { command: 'rm -rf ./build', flags: [null, 0.1] };
        const answer = { proceed: true, feedback: 'fine', choice: 'now', values: { b: [1, 'x'], a: null }, edited };
        await engine.confirmations.decide({ callbackId, scope: ['ann'], answeredBy: 'ann', answer });
        await restart();
        expect((await engine.confirmations.get(callbackId))?.decision).toMatchObject({
          outcome: 'answered',
          answeredBy: 'ann',
          ...answer,
        });
      });

      it('gives the same answerer the same reply for the same answer, whatever the order of its values (E3)', async () => {
        const callbackId = await open();
        const decide = (answeredBy: string | null, values: Record<string, number>, proceed = true) =>
          engine.confirmations.decide({ callbackId, scope: 'all', answeredBy, answer: { proceed, values } });
        expect((await decide('ann', { a: 1, b: 2 })).status).toBe('accepted');
        expect((await decide('ann', { b: 2, a: 1 })).status).toBe('repeated');
        expect((await decide('ann', { a: 1, b: 3 })).status).toBe('already_resolved');
        expect((await decide('ann', { a: 1, b: 2 }, false)).status).toBe('already_resolved');
        expect((await decide('bob', { a: 1, b: 2 })).status).toBe('already_resolved');
        expect((await decide(null, { a: 1, b: 2 })).status).toBe('already_resolved');
        expect(recorder.decisionsOf(callbackId)).toHaveLength(1);
      });

      it('takes an answer with another edited value for another answer', async () => {
        const callbackId = await open();
        const decide = (edited?: Json) =>
          engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', answer: { proceed: true, edited } });
        expect((await decide({ a: 1, b: 2 })).status).toBe('accepted');
        expect((await decide({ b: 2, a: 1 })).status).toBe('repeated');
        expect((await decide({ a: 1, b: 3 })).status).toBe('already_resolved');
        expect((await decide()).status).toBe('already_resolved');
      });

      it('records when a confirmation was first seen, once, over a crash', async () => {
        const callbackId = await open();
        expect(await engine.confirmations.markSeen(callbackId, ['bob'])).toBeUndefined();
        const seen = await engine.confirmations.markSeen(callbackId, ['ann']);
        expect(seen).toMatchObject({ state: 'pending', seenAt: expect.any(Number) });
        expect(await engine.confirmations.markSeen(callbackId, ['ann'])).toMatchObject({ seenAt: seen?.seenAt });
        await restart();
        expect(await engine.confirmations.get(callbackId)).toMatchObject({ state: 'pending', seenAt: seen?.seenAt });
      });

      it('dismisses a confirmation until a moment, over a crash, which decides nothing and ends with the warning', async () => {
        const dismiss = (id: string, at?: number) => engine.confirmations.dismiss({ callbackId: id, scope: 'all', until: at });
        const callbackId = await open({ timeoutMs: 36_000_000 });
        const until = Date.now() + 3_600_000;
        expect(await engine.confirmations.dismiss({ callbackId, scope: ['bob'], until })).toEqual({ status: 'not_found' });
        expect(await dismiss(callbackId, Date.now() + 50_000)).toEqual({ status: 'too_soon' });
        expect(await dismiss(await open({ timeoutMs: null }))).toEqual({ status: 'endless' });
        expect(await dismiss(callbackId, until)).toMatchObject({ confirmation: { dismissedUntil: until } });
        await recorder.nth('dismissed');
        await restart();
        expect(await engine.confirmations.get(callbackId)).toMatchObject({ state: 'pending', dismissedUntil: until });
        const soon = await open({ timeoutMs: 2000 });
        const { createdAt } = (await engine.confirmations.get(soon)) ?? { createdAt: 0 };
        for (const at of [undefined, until])
          expect(await dismiss(soon, at)).toMatchObject({ confirmation: { dismissedUntil: createdAt + 1600 } });
        expect((await recorder.nth('expiring')).confirmation).toMatchObject({ callbackId: soon, state: 'pending' });
        for (const at of [undefined, until]) expect(await dismiss(soon, at)).toEqual({ status: 'warned' });
        expect(await engine.confirmations.get(soon)).not.toHaveProperty('dismissedUntil');
        await yes(soon);
        expect(await dismiss(soon, until)).toMatchObject({ status: 'already_resolved', confirmation: { state: 'answered' } });
      });

      it('stores the door of a decision, over a crash, and takes the same answer by another door for a repetition', async () => {
        const decide = (callbackId: string, via?: string) =>
          engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', via, answer: { proceed: true } });
        const answered = await open();
        expect((await decide(answered, 'slack')).status).toBe('accepted');
        expect(await decide(answered, 'rest')).toMatchObject({
          status: 'repeated',
          confirmation: { decision: { via: 'slack' } },
        });
        const unnamed = await open();
        await decide(unnamed);
        const withdrawn = await open();
        await engine.confirmations.withdraw({ callbackId: withdrawn, scope: 'all', via: 'rest' });
        const timedOut = await open({ timeoutMs: 1 });
        await recorder.nth('decided', 4);
        const cancelled = await open({ taskId: 'task-9' });
        await engine.tasks.cancel({ taskId: 'task-9', scope: 'all', cancelledBy: 'ann', via: 'websocket', allowUnknown: true });
        await crash();
        const later = await open({ taskId: 'task-9', userId: 'bob' });
        const vias = await Promise.all(
          [answered, unnamed, withdrawn, timedOut, cancelled, later].map(
            async (id) => (await engine.confirmations.get(id))?.decision?.via,
          ),
        );
        expect(vias).toEqual(['slack', 'service', 'rest', 'clock', 'websocket', 'websocket']);
      });

      it('counts all anonymous answerers as one', async () => {
        const callbackId = await open();
        expect((await yes(callbackId, null)).status).toBe('accepted');
        expect((await yes(callbackId, null)).status).toBe('repeated');
        expect((await yes(callbackId, 'ann')).status).toBe('already_resolved');
        expect((await engine.confirmations.get(callbackId))?.decision?.answeredBy).toBeUndefined();
      });

      it('knows nothing of what lies outside the scope', async () => {
        const callbackId = await open({ userId: 'bob' });
        const outside = { callbackId, scope: ['ann'], answeredBy: 'ann', answer: { proceed: true } };
        expect(await engine.confirmations.decide(outside)).toEqual({ status: 'not_found' });
        expect(await engine.confirmations.withdraw({ callbackId, scope: ['ann'] })).toEqual({ status: 'not_found' });
        expect(await engine.confirmations.decide({ ...outside, callbackId: 'unknown' })).toEqual({ status: 'not_found' });
        expect((await engine.confirmations.get(callbackId))?.state).toBe('pending');
      });

      it('withdraws, repeatably, with a reason', async () => {
        const callbackId = await open();
        expect((await engine.confirmations.withdraw({ callbackId, scope: 'all', reason: 'not needed' })).status).toBe('accepted');
        expect((await engine.confirmations.withdraw({ callbackId, scope: 'all' })).status).toBe('repeated');
        expect((await yes(callbackId)).status).toBe('already_resolved');
        expect((await engine.confirmations.get(callbackId))?.decision).toMatchObject({
          outcome: 'withdrawn',
          proceed: false,
          reason: 'not needed',
        });
      });

      it('keeps decisions over a crash (E1)', async () => {
        const ids = await Promise.all(Array.from({ length: 100 }, () => open()));
        await Promise.all(ids.slice(0, 50).map((id) => yes(id)));
        await crash();
        const states = await Promise.all(ids.map(async (id) => (await engine.confirmations.get(id))?.state));
        expect(states).toEqual([...Array(50).fill('answered'), ...Array(50).fill('pending')]);
        expect((await engine.counts()).pendingConfirmations).toBe(50);
      });
    });

    describe('deadlines', () => {
      it.each([
        ['proceed', true],
        ['abort', false],
        ['error', false],
      ] as const)('decide by themselves: %s', async (onTimeout, proceed) => {
        const callbackId = await open({ timeoutMs: 30, onTimeout, onTimeoutBy: 'setting' });
        const { confirmation } = await recorder.nth('decided');
        expect(confirmation).toMatchObject({ callbackId, state: 'timed_out', decision: { outcome: 'timed_out', proceed } });
        expect(confirmation.decision?.decidedAt).toBeGreaterThanOrEqual(confirmation.expiresAt ?? Infinity);
        expect((await yes(callbackId)).status).toBe('already_resolved');
      });

      it('win over an answer that comes later, even at the same moment (E2)', async () => {
        const callbackId = await open({ timeoutMs: 0 });
        expect(await yes(callbackId)).toMatchObject({ status: 'already_resolved', confirmation: { state: 'timed_out' } });
        expect(recorder.decisionsOf(callbackId)).toHaveLength(1);
      });

      it('settle a prompt that is read after they passed', async () => {
        expect((await engine.confirmations.get(await open({ timeoutMs: 0 })))?.state).toBe('timed_out');
        await open({ timeoutMs: 0 });
        expect((await engine.waiting('ann')).pendingIds).toEqual([]);
        await open({ timeoutMs: 0 });
        expect((await engine.confirmations.list({ scope: ['ann'], limit: 10 })).items.map(({ state }) => state)).toEqual(
          Array(3).fill('timed_out'),
        );
      });

      it('are announced at 80 % of the time', async () => {
        const callbackId = await open({ timeoutMs: 500 });
        const { confirmation } = await recorder.nth('expiring');
        expect(confirmation).toMatchObject({ callbackId, state: 'pending' });
        expect(recorder.of('decided')).toEqual([]);
        await recorder.nth('decided');
        expect(recorder.of('expiring')).toHaveLength(1);
      });

      it('come in the order in which they were set, also when an earlier one is set later', async () => {
        const [late, early] = await Promise.all([open({ timeoutMs: 90 }), open({ timeoutMs: 30 })]);
        await recorder.nth('decided', 2);
        expect(recorder.of('decided').map(({ confirmation }) => confirmation.callbackId)).toEqual([early, late]);
      });

      it('do not exist for a prompt that waits for ever', async () => {
        const callbackId = await open({ timeoutMs: null });
        expect((await engine.confirmations.get(callbackId))?.expiresAt).toBeNull();
      });

      it('are applied at the start and emitted when they passed while nothing ran, with proceed only where the caller itself gave it (E5)', async () => {
        const missed = { timeoutMs: 400, onTimeout: 'proceed' } as const;
        const [ofCaller, ofSetting, { confirmation }] = await Promise.all([
          open(missed),
          open({ ...missed, onTimeoutBy: 'setting' }),
          engine.confirmations.open(question({ ...missed, onTimeout: 'abort' })),
        ]);
        const { expiresAt } = confirmation;
        await engine.close();
        while (Date.now() <= (expiresAt ?? 0)) await new Promise((resolve) => setTimeout(resolve, 5));
        await start();
        const outcomes = new Map(
          recorder.of('decided').map(({ confirmation }) => [confirmation.callbackId, confirmation.decision?.proceed]),
        );
        expect(outcomes.size).toBe(3);
        expect(outcomes.get(ofCaller)).toBe(true);
        expect(outcomes.get(ofSetting)).toBe(false);
        expect(recorder.of('expiring')).toEqual([]);
      });
    });

    describe('listing', () => {
      /** The ids of all pages. */
      async function idsOf(query: ConfirmationQuery): Promise<string[]> {
        const ids: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await engine.confirmations.list({ ...query, cursor });
          expect(page.items.length).toBeLessThanOrEqual(query.limit);
          ids.push(...page.items.map(({ callbackId }) => callbackId));
          cursor = page.cursor;
        } while (cursor !== undefined);
        return ids;
      }

      it('pages through what the scope covers, oldest first', async () => {
        const ids: string[] = [];
        for (let index = 0; index < 7; index += 1) ids.push(await open({ step: index }));
        await open({ userId: 'bob' });
        expect(await idsOf({ scope: ['ann'], limit: 3 })).toEqual(ids);
        expect((await engine.confirmations.list({ scope: 'all', limit: 100 })).items).toHaveLength(8);
        expect((await engine.confirmations.list({ scope: ['ann', 'bob'], state: 'pending', limit: 100 })).items).toHaveLength(8);
        expect((await engine.confirmations.list({ scope: [], limit: 100 })).items).toEqual([]);
      });

      it('pages through a list newest first, and from a moment on, in both directions', async () => {
        const ids: string[] = [];
        const users = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus'];
        for (const userId of users) ids.push(await open({ userId, taskId: `task-of-${userId}` }));
        const { items } = await engine.confirmations.list({ scope: 'all', limit: 100 });
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
        for (let index = 0; index < count; index += 1) ids.push(await open({ prompt: { stepResult: { message: large } } }));
        for (const messageId of messageIds)
          await engine.broker.sendAcknowledged({ messageId, userId: 'ann', message: { type: 'note', large }, ttlMs: 60_000 });
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
          const found = await pages((cursor) => engine.confirmations.list({ scope, limit: 1000, cursor }));
          expect(found.map(({ callbackId }) => callbackId)).toEqual(ids);
        }
        const messages = await pages((cursor) => engine.broker.unacknowledged('ann', 1000, cursor));
        expect(messages.map(({ messageId }) => messageId)).toEqual(messageIds);
      });

      it('filters by state and task, in every combination', async () => {
        const pending = await open({ taskId: 'a' });
        const answered = await open({ taskId: 'b' });
        await yes(answered);
        for (const scope of ['all', ['ann']] as const) {
          for (const [taskId, state, expected] of [
            [undefined, 'pending', [pending]],
            [undefined, 'answered', [answered]],
            ['a', undefined, [pending]],
            ['a', 'pending', [pending]],
            ['a', 'answered', []],
            ['b', 'answered', [answered]],
          ] as const) {
            const { items, cursor } = await engine.confirmations.list({ scope, taskId, state, limit: 10 });
            expect(items.map(({ callbackId }) => callbackId)).toEqual(expected);
            expect(cursor).toBeUndefined();
          }
        }
      });
    });

    describe('tasks', () => {
      it('belong to whom back-end code named first', async () => {
        expect(await engine.tasks.get('t')).toBeUndefined();
        expect(await engine.tasks.claim('t', 'ann')).toEqual({ taskId: 't', userId: 'ann', cancelled: false });
        expect(await engine.tasks.claim('t', 'bob')).toMatchObject({ userId: 'ann' });
        await open({ taskId: 'u', userId: 'bob' });
        expect(await engine.tasks.get('u')).toMatchObject({ userId: 'bob' });
      });

      it('cancel their pending prompts, and later ones at once, until they are resumed', async () => {
        const [first, second] = [await open(), await open({ userId: 'bob' })];
        const result = await cancel('task-1', { cancelledBy: 'ann', scope: ['ann'], reason: 'enough', allowUnknown: false });
        expect(result).toMatchObject({
          status: 'cancelled',
          task: { taskId: 'task-1', userId: 'ann', cancelled: true, reason: 'enough' },
        });
        const kinds = recorder.events.map(({ kind }) => kind);
        expect(kinds).toEqual(['opened', 'opened', 'task', 'decided', 'decided']);
        for (const id of [first, second])
          expect((await engine.confirmations.get(id))?.decision).toMatchObject({
            outcome: 'cancelled',
            proceed: false,
            answeredBy: 'ann',
            reason: 'enough',
          });
        const later = await engine.confirmations.open(question());
        expect(later).toMatchObject({ created: true, confirmation: { state: 'cancelled', decision: { proceed: false } } });
        expect(recorder.of('opened')).toHaveLength(2);
        expect(recorder.decisionsOf(later.confirmation.callbackId)).toHaveLength(1);
        expect(await engine.tasks.resume('task-1')).toMatchObject({ status: 'resumed', task: { cancelled: false } });
        expect((await engine.confirmations.open(question())).confirmation.state).toBe('pending');
        expect(recorder.of('task').map(({ task }) => task.cancelled)).toEqual([true, false]);
      });

      it('are cancelled once, and remembered over a crash (E3)', async () => {
        await engine.tasks.claim('t', 'ann');
        expect((await cancel('t')).status).toBe('cancelled');
        expect((await cancel('t')).status).toBe('already_cancelled');
        expect(recorder.of('task')).toHaveLength(1);
        await crash();
        expect(await engine.tasks.get('t')).toMatchObject({ cancelled: true });
        expect((await engine.confirmations.open(question({ taskId: 't' }))).confirmation.state).toBe('cancelled');
      });

      it('are not found outside the scope, like unknown ones', async () => {
        const callbackId = await open({ userId: 'bob', taskId: 't' });
        expect(await cancel('t', { scope: ['ann'], allowUnknown: true })).toEqual({ status: 'not_found' });
        expect(await cancel('unknown', { allowUnknown: false })).toEqual({ status: 'not_found' });
        expect((await engine.confirmations.get(callbackId))?.state).toBe('pending');
        expect(recorder.of('task')).toEqual([]);
      });

      it('can be cancelled before they have a user where that is allowed; the event names the user whom the canceller named', async () => {
        expect(await cancel('t', { namedUserId: 'cat' })).toMatchObject({ status: 'cancelled', task: { userId: null } });
        expect(recorder.of('task')[0]?.task).toMatchObject({ userId: null, namedUserId: 'cat', cancelled: true });
        expect(await engine.confirmations.open(question({ taskId: 't' }))).toMatchObject({
          confirmation: { state: 'cancelled' },
        });
        expect(await engine.tasks.get('t')).toMatchObject({ userId: 'ann', cancelled: true });
      });

      it('are resumed without an event when they were not cancelled', async () => {
        expect(await engine.tasks.resume('unknown')).toEqual({ status: 'not_found' });
        await engine.tasks.claim('t', 'ann');
        expect(await engine.tasks.resume('t')).toMatchObject({ status: 'not_cancelled', task: { cancelled: false } });
        expect(recorder.of('task')).toEqual([]);
      });
    });

    describe('publishing', () => {
      const publish = (message: string, channel = 'news', recoverable = true) =>
        engine.broker.publish({ channel, message: { type: 'note', message }, recoverable });
      const texts = async (offset: number, epoch: string, limit = 100) => {
        const result = await engine.broker.history({ channel: 'news', since: { epoch, offset }, limit });
        return result.complete
          ? result.publications.map(({ text, offset: at }) => `${at}:${String((JSON.parse(text) as JsonObject)['message'])}`)
          : 'incomplete';
      };

      it('gives offsets in order, tells them in order (E4), and counts who was reached', async () => {
        recorder.reached = 3;
        const before = await engine.broker.position('news');
        const results = await Promise.all(['a', 'b', 'c'].map((message) => publish(message)));
        expect(results.map(({ deliveredTo }) => deliveredTo)).toEqual([3, 3, 3]);
        expect(results.map(({ position }) => position)).toEqual(
          [1, 2, 3].map((step) => ({ epoch: before.epoch, offset: before.offset + step })),
        );
        expect(recorder.of('publication').map(({ publication }) => publication.message['message'])).toEqual(['a', 'b', 'c']);
        expect(recorder.of('publication')[2]?.publication.position).toEqual(results[2]?.position);
      });

      it('gives every position, however many ask, as at or after what had been told when it was asked for', async () => {
        const { offset: start } = await engine.broker.position('news');
        const told = (): number => recorder.of('publication').at(-1)?.publication.position?.offset ?? start;
        let going = true;
        const asking = Array.from({ length: 3 }, async () => {
          for (let last = start; going;) {
            const before = Math.max(last, told());
            last = (await engine.broker.position('news')).offset;
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
        expect((await engine.broker.position('news')).offset).toBe(start + 50);
      });

      it('keeps the order of plain and unrecoverable messages of a channel', async () => {
        await Promise.all(['1', '2', '3', '4'].map((message, index) => publish(message, 'news', index % 2 === 0)));
        expect(recorder.of('publication').map(({ publication }) => publication.message['message'])).toEqual(['1', '2', '3', '4']);
      });

      it('recovers everything after a position, by pages and over a crash, also from before the first publication', async () => {
        const { epoch, offset } = await engine.broker.position('news');
        for (const message of ['a', 'b', 'c']) await publish(message);
        expect(await texts(offset, epoch)).toEqual([`${offset + 1}:a`, `${offset + 2}:b`, `${offset + 3}:c`]);
        await crash();
        expect(await texts(offset + 1, epoch)).toEqual([`${offset + 2}:b`, `${offset + 3}:c`]);
        expect(await texts(offset, epoch, 1)).toEqual([`${offset + 1}:a`]);
        expect(await texts(offset + 3, epoch)).toEqual([]);
      });

      it('never hides a gap: another epoch, a position ahead, or trimmed history is incomplete', async () => {
        await engine.close();
        await start({ historySize: 2 });
        const { epoch, offset } = await engine.broker.position('news');
        for (const message of ['a', 'b', 'c']) await publish(message);
        expect(await texts(offset, 'another')).toBe('incomplete');
        expect(await texts(offset + 4, epoch)).toBe('incomplete');
        expect(await texts(offset, epoch)).toBe('incomplete');
        expect(await texts(offset + 1, epoch)).toHaveLength(2);
        const gone = await engine.broker.history({ channel: 'news', since: { epoch, offset }, limit: 10 });
        expect(gone.head).toEqual({ epoch, offset: offset + 3 });
      });

      it('gives history in pages that are bounded in bytes, of one message at least', async () => {
        const since = await engine.broker.position('news');
        for (const text of ['x'.repeat(200_000), 'a', 'y'.repeat(100_000), 'z'.repeat(100_000), 'b']) await publish(text);
        const lengths: number[] = [];
        for (let at = since, more = true; more;) {
          const page = await engine.broker.history({ channel: 'news', since: at, limit: 100 });
          if (!page.complete) throw new Error('something is missing');
          lengths.push(page.publications.length);
          at = { ...at, offset: page.publications.at(-1)?.offset ?? at.offset };
          more = at.offset < page.head.offset;
        }
        expect(lengths).toEqual([1, 3, 1]);
      });

      it('never hides a gap: what is past its time is incomplete, even when the channel itself was forgotten', async () => {
        await engine.close();
        await start({ historyTtlMs: 20, retentionMs: 20 });
        const before = await engine.broker.position('news');
        await publish('a');
        while ((await texts(before.offset, before.epoch)) !== 'incomplete') await engine.ping();
        await publish('b');
        expect(await texts(before.offset, before.epoch)).toBe('incomplete');
      });

      it("names a task's user as part of the audience", async () => {
        await engine.tasks.claim('t', 'ann');
        await publish('x', 'task:t', false);
        await publish('y', 'task:t');
        await publish('z', 'task:unknown', false);
        expect(recorder.of('publication').map(({ publication }) => publication.audienceUserId)).toEqual([
          'ann',
          'ann',
          undefined,
        ]);
      });

      it('passes on the conflation key that the publisher chose, and none where it chose none', async () => {
        const request = { channel: 'news', message: { type: 'note' }, recoverable: false };
        await engine.broker.publish({ ...request, conflationKey: 'note one' });
        await engine.broker.publish(request);
        expect(recorder.of('publication').map(({ publication }) => publication.conflationKey)).toEqual(['note one', undefined]);
      });

      it('gives unrecoverable messages no position and no place in history', async () => {
        const { epoch, offset } = await engine.broker.position('news');
        expect(await publish('x', 'news', false)).toEqual({ deliveredTo: 1 });
        expect(await engine.broker.position('news')).toEqual({ epoch, offset });
        expect(await texts(offset, epoch)).toEqual([]);
      });
    });

    describe('acknowledged messages', () => {
      const send = (messageId: string, ttlMs = 60_000) =>
        engine.broker.sendAcknowledged({ messageId, userId: 'ann', message: { type: 'mail', id: messageId }, ttlMs });

      it('are kept until acknowledged, over a crash, and emitted once (E3)', async () => {
        expect(await send('m1')).toEqual({ deliveredTo: 1 });
        await send('m1');
        await send('m2');
        expect(recorder.of('message').map(({ message }) => message.messageId)).toEqual(['m1', 'm2']);
        await crash();
        const first = await engine.broker.unacknowledged('ann', 1);
        expect(first.items).toMatchObject([{ messageId: 'm1', userId: 'ann', message: { type: 'mail', id: 'm1' } }]);
        const rest = await engine.broker.unacknowledged('ann', 1, first.cursor);
        expect(rest.items.map(({ messageId }) => messageId)).toEqual(['m2']);
        expect(rest.cursor).toBeUndefined();
        expect((await engine.counts()).unacknowledgedMessages).toBe(2);
      });

      it('are acknowledged once; a repetition gets its own reply and no event (E3)', async () => {
        await send('m1');
        expect(await engine.broker.ack('m1', ['bob'])).toBe('not_found');
        expect(await engine.broker.isAcknowledged('m1', 'ann')).toBe(false);
        expect(await engine.broker.ack('m1', ['ann'])).toBe('acknowledged');
        expect(await engine.broker.isAcknowledged('m1', 'ann')).toBe(true);
        expect(await engine.broker.isAcknowledged('unknown', 'ann')).toBe(false);
        expect(await engine.broker.ack('m1', 'all')).toBe('repeated');
        expect(await engine.broker.ack('unknown', 'all')).toBe('not_found');
        expect(recorder.of('acknowledged')).toEqual([{ kind: 'acknowledged', messageId: 'm1', userId: 'ann' }]);
        expect((await engine.broker.unacknowledged('ann', 10)).items).toEqual([]);
        expect((await engine.counts()).unacknowledgedMessages).toBe(0);
      });

      it('are read together with all else that waits for the user', async () => {
        await Promise.all([send('m1'), send('m2')]);
        const callbackIds = [await open(), await open(), await open()];
        await open({ userId: 'bob' });
        await engine.broker.publish({ channel: 'user:ann', message: { type: 'note' }, recoverable: true });
        const position = await engine.broker.position('user:ann');
        expect(await engine.waiting('ann')).toEqual({ position, pendingIds: callbackIds, hasMessages: true });
        for (const messageId of ['m1', 'm2']) await engine.broker.ack(messageId, 'all');
        expect(await engine.waiting('ann')).toMatchObject({ hasMessages: false });
      });

      it('are gone when their time has passed', async () => {
        await send('m1', 0);
        expect((await engine.broker.unacknowledged('ann', 10)).items).toEqual([]);
        expect(await engine.broker.ack('m1', 'all')).toBe('not_found');
      });
    });

    describe('presence', () => {
      it("counts a user's connections and sends the oldest away over the limit", async () => {
        await engine.close();
        await start({ maxConnectionsPerUser: 2 });
        for (const id of ['c1', 'c2', 'c3']) await engine.presence.connect(id, 'ann');
        expect((await recorder.nth('evicted')).connectionId).toBe('c1');
        expect(await engine.presence.count('ann')).toBe(2);
        await engine.presence.disconnect('c1', 'ann');
        await engine.presence.disconnect('c2', 'ann');
        expect(await engine.presence.count('ann')).toBe(1);
        expect(await engine.presence.count('bob')).toBe(0);
        expect(await engine.cluster(5)).toMatchObject({ engine: engine.name, nodes: 1, activeConnections: 5 });
      });
    });

    describe('a handler', () => {
      it('gets its own results when it calls the engine during an event, and so does every other caller', async () => {
        await engine.close();
        const answers: Promise<unknown>[] = [];
        recorder = new EngineRecorder();
        const decided = recorder.onDecided.bind(recorder);
        recorder.onDecided = (confirmation) => {
          decided(confirmation);
          answers.push(engine.confirmations.get(confirmation.callbackId).then((its) => expect(its).toEqual(confirmation)));
        };
        engine = await fixture.start(recorder);
        await engine.replayDecisions();
        for (let round = 0; round < 20; round += 1) {
          await yes(await open());
          // While the handler's call is under way, and before the turn that it was to go with.
          answers.push(engine.waiting('ann').then(({ pendingIds }) => expect(pendingIds).toEqual([])));
          answers.push(engine.broker.position('news').then((position) => expect(position.offset).toBe(0)));
          await Promise.all(answers);
        }
        expect(answers).toHaveLength(60);
      });
    });

    describe('its life', () => {
      it('emits decisions again that may not have been told before a crash, in order, and no others after a clean stop (E5)', async () => {
        const ids = [await open(), await open(), await open()];
        for (const id of ids) await yes(id);
        await crash();
        expect(recorder.of('decided').map(({ confirmation }) => confirmation.callbackId)).toEqual(ids);
        await restart();
        expect(recorder.of('decided')).toEqual([]);
      });

      it('emits decisions again when it was stopped before anybody asked for them (E5)', async () => {
        const callbackId = await open();
        await yes(callbackId);
        await fixture.crash();
        await (await fixture.start(new EngineRecorder())).close();
        await start();
        expect(recorder.decisionsOf(callbackId)).toHaveLength(1);
      });

      it('forgets decisions, cancellations and keys after the retention', async () => {
        await engine.close();
        await start({ retentionMs: 30, historyTtlMs: 30 });
        const callbackId = await open({ key: 'k' });
        await yes(callbackId);
        await cancel('other');
        const waiting = await open({ taskId: 'waiting' });
        while ((await engine.confirmations.get(callbackId)) || (await engine.tasks.get('other'))) await engine.ping();
        expect(await open({ key: 'k' })).not.toBe(callbackId);
        expect((await engine.confirmations.get(waiting))?.state).toBe('pending');
        expect(await engine.tasks.get('waiting')).toMatchObject({ userId: 'ann' });
      });

      it('forgets a task together with its messages, so that the next user of its name reads none of them', async () => {
        await engine.close();
        await start({ retentionMs: 30 });
        const channel = 'task:reused';
        const since = await engine.broker.position(channel);
        await engine.tasks.claim('reused', 'ann');
        await engine.broker.publish({ channel, message: { type: 'note', text: 'of ann' }, recoverable: true });
        while (await engine.tasks.get('reused')) await engine.ping();
        for (const user of ['bob', 'cid']) {
          await engine.tasks.claim('reused', user);
          expect(await engine.broker.history({ channel, since, limit: 10 })).toMatchObject({ complete: false });
          await engine.broker.publish({ channel, message: { type: 'note' }, recoverable: true });
        }
      });

      it('finishes calls in flight when it closes, and refuses later ones (E6)', async () => {
        const opening = engine.confirmations.open(question());
        await engine.close();
        const { confirmation } = await opening;
        await expect(engine.confirmations.open(question())).rejects.toThrow(EngineUnavailableError);
        await expect(engine.ping()).rejects.toThrow(EngineUnavailableError);
        await expect(engine.presence.count('ann')).rejects.toThrow(EngineUnavailableError);
        await start();
        expect((await engine.confirmations.get(confirmation.callbackId))?.state).toBe('pending');
      });
    });
  });
}
