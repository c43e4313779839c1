/** Notices (E7), which every engine must keep in the same way, whatever it is made of. */
import type { Engine, EngineSettings, OpenRequest, WebhookEvent } from '../../../src/notification/engine/engine.js';
import { WEBHOOK_EVENTS } from '../../../src/protocol/webhook-events.js';
import { EngineRecorder } from '../../support/engine-recorder.js';
import { AFTER_DECISIONS } from '../../support/webhook-events.js';
import { question, type EngineFixture } from './engine-suite.js';

const LONG_MS = 60_000;
/** With it an engine looks for what is due often. */
const OFTEN: Partial<EngineSettings> = { webhookEvents: AFTER_DECISIONS, historyTtlMs: 100 };

export function describeNotices(name: string, createFixture: () => Promise<EngineFixture>): void {
  describe(`webhook events of the ${name} engine (E7)`, () => {
    let fixture: EngineFixture;
    let engine: Engine;
    let recorder: EngineRecorder;

    const start = async (settings: Partial<EngineSettings> = OFTEN): Promise<void> => {
      recorder = new EngineRecorder();
      engine = await fixture.start(recorder, settings);
      await engine.replayDecisions();
    };
    const crash = async (settings?: Partial<EngineSettings>): Promise<void> => {
      await fixture.crash();
      await start(settings);
    };
    const open = async (overrides?: Partial<OpenRequest>): Promise<string> =>
      (await engine.confirmations.open(question(overrides))).confirmation.callbackId;
    const yes = (callbackId: string) =>
      engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', answer: { proceed: true } });
    const cancel = (taskId: string) => engine.tasks.cancel({ taskId, scope: 'all', cancelledBy: null, allowUnknown: true });
    const waiting = async (): Promise<number> => (await engine.events.counts()).waiting;
    /** So many notices, as soon as they can be claimed. */
    const claim = async (count: number, leaseMs = LONG_MS): Promise<WebhookEvent[]> => {
      const claimed: WebhookEvent[] = [];
      while (claimed.length < count) {
        claimed.push(...(await engine.events.claim(count - claimed.length, leaseMs)));
        await engine.ping();
      }
      return claimed;
    };
    const claimOne = async (leaseMs?: number): Promise<WebhookEvent> => (await claim(1, leaseMs))[0] as WebhookEvent;
    const idIn = ({ subject }: WebhookEvent): string | undefined =>
      subject.kind === 'confirmation' ? subject.confirmation.callbackId : undefined;
    const stateOf = ({ subject }: WebhookEvent): string =>
      subject.kind === 'confirmation' ? subject.confirmation.state : subject.task.cancelled ? 'task cancelled' : 'task resumed';

    beforeEach(async () => {
      fixture = await createFixture();
      await start();
    });
    afterEach(() => fixture.close());

    it('tell of every decision, whoever or whatever made it, as the prompt is then', async () => {
      const answered = await open();
      await yes(answered);
      const timedOut = await open({ timeoutMs: 20 });
      const withdrawn = await open();
      await engine.confirmations.withdraw({ callbackId: withdrawn, scope: 'all' });
      const cancelled = await open({ taskId: 'task-2' });
      await cancel('task-2');
      const late = await open({ taskId: 'task-2', userId: 'bob' });
      const notices = await claim(6);
      expect(notices.map(stateOf).sort()).toEqual([
        'answered',
        'cancelled',
        'cancelled',
        'task cancelled',
        'timed_out',
        'withdrawn',
      ]);
      for (const callbackId of [answered, timedOut, withdrawn, cancelled, late]) {
        const confirmation = await engine.confirmations.get(callbackId);
        const notice = notices.find(
          ({ subject }) => subject.kind === 'confirmation' && subject.confirmation.callbackId === callbackId,
        );
        expect(notice).toEqual({
          id: expect.stringMatching(/^[A-Za-z0-9-]+$/),
          at: confirmation?.decision?.decidedAt,
          attempt: 1,
          event: `confirmation.${confirmation?.state}`,
          subject: { kind: 'confirmation', confirmation },
        });
      }
      expect(new Set(notices.map(({ id }) => id)).size).toBe(6);
    });

    it('show an opened prompt and one near its deadline as they were, also when they are claimed after the decision', async () => {
      await crash({ ...OFTEN, webhookEvents: WEBHOOK_EVENTS });
      const callbackId = await open({ timeoutMs: 1500 });
      const asked = await engine.confirmations.get(callbackId);
      await open({ callbackId: 'again', key: 'k', fingerprint: 'f' });
      await open({ callbackId: 'other', key: 'k', fingerprint: 'f' });
      await cancel('task-4');
      await open({ taskId: 'task-4' });
      await recorder.nth('expiring');
      await yes(callbackId);
      const notices = await claim(6);
      expect(notices.map(({ event }) => event).sort()).toEqual([
        'confirmation.answered',
        'confirmation.cancelled',
        'confirmation.expiring',
        'confirmation.opened',
        'confirmation.opened',
        'task.cancelled',
      ]);
      const of = (event: string) => notices.find((notice) => notice.event === event && idIn(notice) === callbackId);
      for (const event of ['confirmation.opened', 'confirmation.expiring'])
        expect(of(event)).toEqual({
          id: expect.stringMatching(/^[A-Za-z0-9-]+$/),
          at: expect.any(Number),
          attempt: 1,
          event,
          subject: { kind: 'confirmation', confirmation: asked },
        });
      expect(of('confirmation.opened')?.at).toBe(asked?.createdAt);
      expect(of('confirmation.expiring')?.at).toBeGreaterThanOrEqual((asked?.createdAt ?? 0) + 1200);
    });

    it('are announced at once for an opening, and survive a crash with the prompt', async () => {
      await crash({ ...OFTEN, webhookEvents: ['confirmation.opened'] });
      const callbackId = await open();
      await recorder.nth('webhook events');
      await crash({ ...OFTEN, webhookEvents: ['confirmation.opened'] });
      expect(await claimOne()).toMatchObject({ event: 'confirmation.opened', subject: { confirmation: { callbackId } } });
    });

    it('are stored for the events that are asked for, and for no others, also after another start', async () => {
      await crash({ ...OFTEN, webhookEvents: ['confirmation.expiring', 'task.resumed'] });
      const callbackId = await open({ timeoutMs: 100 });
      await recorder.nth('decided');
      await cancel('task-5');
      await engine.tasks.resume('task-5');
      expect((await claim(2)).map(({ event }) => event).sort()).toEqual(['confirmation.expiring', 'task.resumed']);
      expect(await waiting()).toBe(2);
      await crash({ ...OFTEN, webhookEvents: ['confirmation.answered'] });
      await yes(await open());
      await engine.confirmations.withdraw({ callbackId: await open(), scope: 'all' });
      expect(await waiting()).toBe(3);
      expect(await claimOne()).toMatchObject({ event: 'confirmation.answered' });
      expect((await engine.confirmations.get(callbackId))?.state).toBe('timed_out');
    });

    it('tell of a task’s cancellation and resumption as it was then, each time', async () => {
      await engine.tasks.claim('task-3', 'ann');
      for (let round = 0; round < 2; round += 1) {
        await engine.tasks.cancel({
          taskId: 'task-3',
          scope: 'all',
          cancelledBy: null,
          allowUnknown: true,
          reason: `no ${round}`,
        });
        await engine.tasks.resume('task-3');
      }
      const notices = await claim(4);
      expect(notices.map(stateOf).sort()).toEqual(['task cancelled', 'task cancelled', 'task resumed', 'task resumed']);
      expect(notices.flatMap(({ subject }) => (subject.kind === 'task' && subject.task.reason) || []).sort()).toEqual([
        'no 0',
        'no 1',
      ]);
      for (const { subject } of notices) expect(subject).toMatchObject({ task: { taskId: 'task-3', userId: 'ann' } });
      expect(new Set(notices.map(({ id }) => id)).size).toBe(4);
    });

    it('are left once, however often a call is repeated, and not by what changes nothing (E3)', async () => {
      const callbackId = await open();
      for (let round = 0; round < 3; round += 1) {
        await yes(callbackId);
        await engine.confirmations.withdraw({ callbackId, scope: 'all' });
        await cancel('task-1');
      }
      await engine.tasks.resume('another');
      expect(await waiting()).toBe(2);
    });

    it('are told of when they are left, and again while nobody holds them', async () => {
      const callbackId = await open();
      await yes(callbackId);
      await recorder.nth('webhook events');
      await claimOne(20);
      const told = recorder.of('webhook events').length;
      await recorder.nth('webhook events', told + 1);
      expect(await claimOne()).toMatchObject({ attempt: 2 });
    });

    it('are leased to one of many who claim at once', async () => {
      const ids = await Promise.all(Array.from({ length: 30 }, (_, index) => open({ userId: `user-${index}` })));
      await Promise.all(ids.map(yes));
      const claims: WebhookEvent[] = [];
      while (claims.length < 30) {
        const batches = await Promise.all(Array.from({ length: 12 }, () => engine.events.claim(4, LONG_MS)));
        for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(4);
        claims.push(...batches.flat());
      }
      expect(new Set(claims.map(({ id }) => id)).size).toBe(30);
      expect(claims.every(({ attempt }) => attempt === 1)).toBe(true);
    });

    it('come again when the lease ends, not before, with the same id and contents', async () => {
      await yes(await open());
      const first = await claimOne(150);
      const claimedAt = Date.now();
      const second = await claimOne();
      expect(Date.now() - claimedAt).toBeGreaterThanOrEqual(100);
      expect(second).toEqual({ ...first, attempt: 2 });
    });

    it('never come again once completed, not even when the lease had ended and others hold them', async () => {
      await yes(await open());
      const first = await claimOne(20);
      const second = await claimOne(20);
      expect(await engine.events.complete(first)).toBe(true);
      expect(await engine.events.complete(first)).toBe(false);
      expect(await engine.events.complete(second)).toBe(false);
      expect(await engine.events.postpone(second, 0)).toBe(false);
      expect(await engine.events.counts()).toEqual({ waiting: 0 });
      await crash();
      expect(await waiting()).toBe(0);
    });

    it('come when they were postponed to; an older claim cannot change that', async () => {
      await yes(await open());
      const first = await claimOne(10);
      const second = await claimOne();
      expect(await engine.events.postpone(first, 0)).toBe(false);
      expect(await engine.events.postpone(second, 0)).toBe(true);
      const third = await claimOne();
      expect(await engine.events.postpone(third, 150)).toBe(true);
      expect(await engine.events.postpone(third, 150)).toBe(true);
      const postponedAt = Date.now();
      expect(await claimOne()).toMatchObject({ id: first.id, attempt: 4 });
      expect(Date.now() - postponedAt).toBeGreaterThanOrEqual(100);
    });

    it('survive a crash with the change that they tell of, and so do leases and pauses', async () => {
      const ids = [await open(), await open()];
      await yes(ids[0] as string);
      await crash();
      const held = await claimOne(300);
      const heldAt = Date.now();
      await yes(ids[1] as string);
      await crash();
      const other = await claimOne();
      expect(other.id).not.toBe(held.id);
      await engine.events.postpone(other, LONG_MS);
      expect(await claimOne()).toMatchObject({ id: held.id, attempt: 2 });
      expect(Date.now() - heldAt).toBeGreaterThanOrEqual(250);
      await crash();
      expect(await waiting()).toBe(2);
      expect(await engine.events.claim(10, LONG_MS)).toEqual([]);
    });

    it('tell of deadlines that passed while nothing ran', async () => {
      const callbackId = await open({ timeoutMs: 30 });
      await fixture.crash();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await start();
      expect(await claimOne()).toMatchObject({
        subject: { confirmation: { callbackId, state: 'timed_out', decision: { outcome: 'timed_out' } } },
      });
    });

    it('are given up after the retention, and counted', async () => {
      const callbackId = await open();
      await yes(callbackId);
      const { oldestAt } = await engine.events.counts();
      expect(oldestAt).toBe((await engine.confirmations.get(callbackId))?.decision?.decidedAt);
      await crash({ ...OFTEN, retentionMs: 60 });
      expect((await recorder.nth('dropped')).count).toBe(1);
      expect(await engine.events.counts()).toEqual({ waiting: 0 });
    });

    it('are not kept where nobody asked for them', async () => {
      await fixture.close();
      fixture = await createFixture();
      await start({ historyTtlMs: 100 });
      await yes(await open());
      await cancel('task-1');
      await engine.tasks.resume('task-1');
      expect(await waiting()).toBe(0);
      expect(recorder.of('webhook events')).toEqual([]);
      await crash();
      expect(await engine.events.claim(10, LONG_MS)).toEqual([]);
      expect(await waiting()).toBe(0);
    });
  });
}
