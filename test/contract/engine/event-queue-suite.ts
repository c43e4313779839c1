/** What every engine's `EventQueue` must do (E7): webhook events are stored with the change, leased, and completed once. */
import type { Confirmation, EngineSettings, WebhookEvent } from '../../../src/notification/engine/engine.js';
import { WEBHOOK_EVENTS } from '../../../src/protocol/webhook-events.js';
import { AFTER_DECISIONS } from '../../support/webhook-events.js';
import type { EngineUnderTest } from './engine-under-test.js';

const LONG_MS = 60_000;
/** With these settings an engine sweeps often. */
export const STORES_EVENTS: Partial<EngineSettings> = { webhookEvents: AFTER_DECISIONS, historyTtlMs: 100 };

/** @param node starts with `STORES_EVENTS` */
export function describeEventQueue(node: EngineUnderTest): void {
  const waiting = async (): Promise<number> => (await node.engine.events.counts()).waiting;
  /** `count` events, as soon as they can be claimed; those of discarded confirmations do not count. */
  const claim = async (count: number, leaseMs = LONG_MS): Promise<WebhookEvent[]> => {
    const claimed: WebhookEvent[] = [];
    while (claimed.length < count) {
      const events = await node.engine.events.claim(count - claimed.length, leaseMs);
      claimed.push(...events.filter((event) => !node.discarded.has(idIn(event) ?? '')));
      await node.engine.ping();
    }
    return claimed;
  };
  const claimOne = async (leaseMs?: number): Promise<WebhookEvent> => (await claim(1, leaseMs))[0] as WebhookEvent;
  const idIn = ({ subject }: WebhookEvent): string | undefined =>
    subject.kind === 'confirmation' ? subject.confirmation.callbackId : undefined;
  const stateOf = ({ subject }: WebhookEvent): string =>
    subject.kind === 'confirmation' ? subject.confirmation.state : subject.task.cancelled ? 'task cancelled' : 'task resumed';

  it('are stored for every decision, by whatever cause, with the confirmation as it was then', async () => {
    const answered = await node.open();
    await node.yes(answered);
    const timedOut = await node.open({ timeoutMs: 20 });
    const withdrawn = await node.open();
    await node.engine.confirmations.withdraw({ callbackId: withdrawn, scope: 'all' });
    const cancelled = await node.open({ taskId: 'task-2' });
    await node.cancel('task-2');
    const late = await node.open({ taskId: 'task-2', userId: 'bob' });
    const events = await claim(6);
    expect(events.map(stateOf).sort()).toEqual([
      'answered',
      'cancelled',
      'cancelled',
      'task cancelled',
      'timed_out',
      'withdrawn',
    ]);
    for (const callbackId of [answered, timedOut, withdrawn, cancelled, late]) {
      const confirmation = await node.engine.confirmations.get(callbackId);
      const event = events.find(
        ({ subject }) => subject.kind === 'confirmation' && subject.confirmation.callbackId === callbackId,
      );
      expect(event).toEqual({
        id: expect.stringMatching(/^[A-Za-z0-9-]+$/),
        at: confirmation?.decision?.decidedAt,
        attempt: 1,
        event: `confirmation.${confirmation?.state}`,
        subject: { kind: 'confirmation', confirmation },
      });
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(6);
  });

  it('show an opened and an expiring confirmation as it was, also when they are claimed after the decision', async () => {
    await node.crash({ ...STORES_EVENTS, webhookEvents: WEBHOOK_EVENTS });
    let asked: Confirmation | undefined;
    const callbackId = await node.openUntilExpiring({ timeoutMs: 500 }, async (id) => {
      asked = await node.engine.confirmations.get(id);
    });
    await node.open({ callbackId: 'again', key: 'k', fingerprint: 'f' });
    await node.open({ callbackId: 'other', key: 'k', fingerprint: 'f' });
    await node.cancel('task-4');
    await node.open({ taskId: 'task-4' });
    await node.recorder.until(() => node.recorder.decisionsOf(callbackId).length > 0);
    const events = await claim(6);
    expect(events.map(({ event }) => event).sort()).toEqual([
      'confirmation.cancelled',
      'confirmation.expiring',
      'confirmation.opened',
      'confirmation.opened',
      'confirmation.timed_out',
      'task.cancelled',
    ]);
    const of = (name: string) => events.find((stored) => stored.event === name && idIn(stored) === callbackId);
    for (const event of ['confirmation.opened', 'confirmation.expiring'])
      expect(of(event)).toEqual({
        id: expect.stringMatching(/^[A-Za-z0-9-]+$/),
        at: expect.any(Number),
        attempt: 1,
        event,
        subject: { kind: 'confirmation', confirmation: asked },
      });
    expect(of('confirmation.opened')?.at).toBe(asked?.createdAt);
    expect(of('confirmation.expiring')?.at).toBeGreaterThanOrEqual((asked?.createdAt ?? 0) + 400);
  });

  it('are announced at once for an opening, and survive a crash with the confirmation', async () => {
    await node.crash({ ...STORES_EVENTS, webhookEvents: ['confirmation.opened'] });
    const callbackId = await node.open();
    await node.recorder.nth('webhook events');
    await node.crash({ ...STORES_EVENTS, webhookEvents: ['confirmation.opened'] });
    expect(await claimOne()).toMatchObject({ event: 'confirmation.opened', subject: { confirmation: { callbackId } } });
  });

  it('are stored for the events that the settings name, and for no others, also after another start', async () => {
    await node.crash({ ...STORES_EVENTS, webhookEvents: ['confirmation.expiring', 'task.resumed'] });
    const callbackId = await node.openUntilExpiring({ timeoutMs: 200 });
    await node.recorder.until(() => node.recorder.decisionsOf(callbackId).length > 0);
    await node.cancel('task-5');
    await node.engine.tasks.resume('task-5');
    expect((await claim(2)).map(({ event }) => event).sort()).toEqual(['confirmation.expiring', 'task.resumed']);
    expect(await waiting()).toBe(2);
    await node.crash({ ...STORES_EVENTS, webhookEvents: ['confirmation.answered'] });
    await node.yes(await node.open());
    await node.engine.confirmations.withdraw({ callbackId: await node.open(), scope: 'all' });
    expect(await waiting()).toBe(3);
    expect(await claimOne()).toMatchObject({ event: 'confirmation.answered' });
    expect((await node.engine.confirmations.get(callbackId))?.state).toBe('timed_out');
  });

  it('are stored for each cancellation and resumption of a task, with the task as it was then', async () => {
    await node.engine.tasks.claim('task-3', 'ann');
    for (let round = 0; round < 2; round += 1) {
      await node.engine.tasks.cancel({
        taskId: 'task-3',
        scope: 'all',
        cancelledBy: null,
        allowUnknown: true,
        reason: `no ${round}`,
      });
      await node.engine.tasks.resume('task-3');
    }
    const events = await claim(4);
    expect(events.map(stateOf).sort()).toEqual(['task cancelled', 'task cancelled', 'task resumed', 'task resumed']);
    expect(events.flatMap(({ subject }) => (subject.kind === 'task' && subject.task.reason) || []).sort()).toEqual([
      'no 0',
      'no 1',
    ]);
    for (const { subject } of events) expect(subject).toMatchObject({ task: { taskId: 'task-3', userId: 'ann' } });
    expect(new Set(events.map(({ id }) => id)).size).toBe(4);
  });

  it('are stored once when a call is repeated, and not for a call that changes nothing (E3)', async () => {
    const callbackId = await node.open();
    for (let round = 0; round < 3; round += 1) {
      await node.yes(callbackId);
      await node.engine.confirmations.withdraw({ callbackId, scope: 'all' });
      await node.cancel('task-1');
    }
    await node.engine.tasks.resume('another');
    expect(await waiting()).toBe(2);
  });

  it('are announced when they are stored, and again while nobody holds them', async () => {
    const callbackId = await node.open();
    await node.yes(callbackId);
    await node.recorder.nth('webhook events');
    await claimOne(20);
    const announced = node.recorder.of('webhook events').length;
    await node.recorder.nth('webhook events', announced + 1);
    expect(await claimOne()).toMatchObject({ attempt: 2 });
  });

  it('are leased to one of many callers that claim at once', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, (_, index) => node.open({ userId: `user-${index}` })));
    await Promise.all(ids.map((id) => node.yes(id)));
    const claims: WebhookEvent[] = [];
    while (claims.length < 30) {
      const batches = await Promise.all(Array.from({ length: 12 }, () => node.engine.events.claim(4, LONG_MS)));
      for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(4);
      claims.push(...batches.flat());
    }
    expect(new Set(claims.map(({ id }) => id)).size).toBe(30);
    expect(claims.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it('can be claimed again when the lease ends, not before, with the same id and contents', async () => {
    await node.yes(await node.open());
    const first = await claimOne(150);
    const claimedAt = Date.now();
    const second = await claimOne();
    expect(Date.now() - claimedAt).toBeGreaterThanOrEqual(100);
    expect(second).toEqual({ ...first, attempt: 2 });
  });

  it('can never be claimed again once completed, not even when the lease had ended and others hold them', async () => {
    await node.yes(await node.open());
    const first = await claimOne(20);
    const second = await claimOne(20);
    expect(await node.engine.events.complete(first)).toBe(true);
    expect(await node.engine.events.complete(first)).toBe(false);
    expect(await node.engine.events.complete(second)).toBe(false);
    expect(await node.engine.events.postpone(second, 0)).toBe(false);
    expect(await node.engine.events.counts()).toEqual({ waiting: 0 });
    await node.crash();
    expect(await waiting()).toBe(0);
  });

  it('can be claimed at the time to which they were postponed; an older claim cannot change that', async () => {
    await node.yes(await node.open());
    const first = await claimOne(10);
    const second = await claimOne();
    expect(await node.engine.events.postpone(first, 0)).toBe(false);
    expect(await node.engine.events.postpone(second, 0)).toBe(true);
    const third = await claimOne();
    expect(await node.engine.events.postpone(third, 150)).toBe(true);
    expect(await node.engine.events.postpone(third, 150)).toBe(true);
    const postponedAt = Date.now();
    expect(await claimOne()).toMatchObject({ id: first.id, attempt: 4 });
    expect(Date.now() - postponedAt).toBeGreaterThanOrEqual(100);
  });

  it('survive a crash together with their change, and so do leases and postponements', async () => {
    const ids = [await node.open(), await node.open()];
    await node.yes(ids[0] as string);
    await node.crash();
    const held = await claimOne();
    await node.yes(ids[1] as string);
    await node.crash();
    const other = await claimOne();
    expect(other.id).not.toBe(held.id);
    await node.engine.events.postpone(other, LONG_MS);
    await node.crash();
    expect(await waiting()).toBe(2);
    expect(await node.engine.events.claim(10, LONG_MS)).toEqual([]);
  });

  it('are stored for deadlines that passed while nothing ran', async () => {
    const callbackId = await node.open({ timeoutMs: 30 });
    await node.fixture.crash();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await node.start();
    expect(await claimOne()).toMatchObject({
      subject: { confirmation: { callbackId, state: 'timed_out', decision: { outcome: 'timed_out' } } },
    });
  });

  it('are dropped after the retention, and counted', async () => {
    const callbackId = await node.open();
    await node.yes(callbackId);
    const decidedAt = (await node.engine.confirmations.get(callbackId))?.decision?.decidedAt ?? Number.NaN;
    await new Promise((resolve) => setTimeout(resolve, 20));
    const atLeast = Date.now() - decidedAt;
    const { oldestMs = Number.NaN } = await node.engine.events.counts();
    // The engine's clock and this one may differ by a millisecond.
    expect(oldestMs).toBeGreaterThanOrEqual(atLeast - 2);
    expect(oldestMs).toBeLessThanOrEqual(Date.now() - decidedAt + 2);
    await node.crash({ ...STORES_EVENTS, retentionMs: 60 });
    expect((await node.recorder.nth('dropped')).count).toBe(1);
    expect(await node.engine.events.counts()).toEqual({ waiting: 0 });
  });

  it('are not stored where the settings name none', async () => {
    await node.fixture.close();
    await node.renew({ historyTtlMs: 100 });
    await node.yes(await node.open());
    await node.cancel('task-1');
    await node.engine.tasks.resume('task-1');
    expect(await waiting()).toBe(0);
    expect(node.recorder.of('webhook events')).toEqual([]);
    await node.crash();
    expect(await node.engine.events.claim(10, LONG_MS)).toEqual([]);
    expect(await waiting()).toBe(0);
  });
}
