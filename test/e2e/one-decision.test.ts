/**
 * One decision for each confirmation, whatever races and fails: `test/history` has the workloads and the checker.
 * The long runs are in `test/soak` and `test/fault`. `SEED=…` repeats a run's random choices.
 */
import { check } from '../history/checker.js';
import { Recorder } from '../history/recorder.js';
import { startService, type TestService } from '../support/service.js';
import { Workload } from '../history/workloads/random-mix.js';
import { aimAtDeadlines } from '../history/workloads/answers-at-deadline.js';
import { FaultySite, IOERR, REFUSALS_OF_A_FAULTY_STORE } from '../history/workloads/store-faults.js';
import { KillWorkload } from '../history/workloads/kill-mid-stream.js';
import { seedOf } from '../support/random.js';
import { InProcessSite, ProcessSite } from '../history/sites/single-node.js';

const LIMIT_MS = 120_000;

describe('600 questions with callers, devices, deadlines, cancellations, withdrawals and restarts in random order', () => {
  it.each(['proceed', 'abort'] as const)(
    'each get one decision, which every observer sees, with the setting %s',
    async (timeoutDecision) => {
      const seed = seedOf(`one decision (${timeoutDecision})`);
      const recorder = new Recorder();
      const site = await InProcessSite.create(recorder, { timeoutDecision });
      try {
        await new Workload(site, recorder, { seed, prompts: 300, restarts: 2, timeoutDecision }).run();
      } finally {
        await site.close();
      }
      expect(check(recorder.entries, { decisionsRecorded: true })).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe('300 answers aimed at the deadline ± 5 ms', () => {
  it(
    'give the answerer and the caller the same decision, on either side of it',
    async () => {
      const seed = seedOf('deadline');
      const recorder = new Recorder();
      const site = await InProcessSite.create(recorder, { timeoutDecision: 'proceed' });
      try {
        const { intime, late } = await aimAtDeadlines(site, recorder, { seed, count: 300, spreadMs: 5 });
        expect(intime + late).toBe(300);
        // The aim follows the outcome, so that both sides are met on any machine; how often, depends on its load.
        expect(Math.min(intime, late)).toBeGreaterThan(0);
      } finally {
        await site.close();
      }
      expect(check(recorder.entries, { decisionsRecorded: true })).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe('kill -9 of the real program with 100 prompts pending', () => {
  it(
    'loses nothing acknowledged, and gives re-attached callers their answer',
    async () => {
      const recorder = new Recorder();
      const site = await ProcessSite.create(recorder, { WEBSOCKET_TIMEOUT_DECISION: 'proceed' });
      const workload = new KillWorkload(site, recorder, { seed: seedOf('kill -9'), rounds: 1, pending: 100, burst: 100 });
      try {
        await workload.run();
      } finally {
        await site.close();
      }
      expect(workload.missing).toEqual([]);
      expect(check(recorder.entries)).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe('a store of which a step fails', () => {
  // Every step has its turn in test/fault.
  it(
    'never proceeds: calls get typed errors, and decisions are emitted once it works again',
    async () => {
      const recorder = new Recorder();
      const site = await FaultySite.create(recorder);
      let met = 0;
      try {
        for (let skip = 0; skip < 60; skip += 12) {
          met += Number(await site.live({ skip, times: 1, effect: { kind: 'error', resultCode: IOERR } }));
          met += Number(await site.live({ skip: skip + 6, times: 1, effect: { kind: 'exit' } }));
        }
      } finally {
        await site.close();
      }
      expect(met).toBeGreaterThan(5);
      expect(check(recorder.entries, { tolerated: REFUSALS_OF_A_FAULTY_STORE })).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe('answers that are none', () => {
  const wrong: [string, object][] = [
    ['a text for proceed', { proceed: 'true' }],
    ['a number for proceed', { proceed: 1 }],
    ['a list for proceed', { proceed: [true] }],
    ['an object for proceed', { proceed: { valueOf: true } }],
    ['a choice that was not offered', { choice: 'anything', proceed: true }],
    ['a number for a choice', { choice: 1, proceed: true }],
    ['values where there is no form', { values: { sure: true }, proceed: true }],
    ['a text for values', { values: 'sure', proceed: true }],
    ['an object for feedback', { feedback: {}, proceed: true }],
  ];
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it.each(wrong)('leave the question pending, by WebSocket and by REST: %s', async (what, answer) => {
    const device = await service.connectAs(what);
    const asked = service.notifications.notifyUser({ message: 'Go on?' }, what, what, 1, {
      choices: [{ id: 'go', label: 'Go', proceed: true }],
    });
    const { callback_id } = await device.next('task_step_result');
    expect(await device.requestUnchecked({ action: 'confirm', callback_id, ...answer })).toMatchObject({
      type: 'error',
      code: expect.stringMatching(/^INVALID_(ANSWER|MESSAGE)$/),
      fields: expect.any(Object),
    });
    const path = `/ws/confirmations/${String(callback_id)}`;
    expect(await service.rest('POST', `${path}/answer`, answer)).toMatchObject({
      status: 400,
      body: { code: expect.stringMatching(/^INVALID_(ANSWER|MESSAGE)$/), fields: expect.any(Object) },
    });
    expect((await service.rest('GET', path)).body).toMatchObject({ state: 'pending' });
    await device.request({ action: 'confirm', callback_id, proceed: false });
    expect(await asked).toMatchObject({ outcome: 'answered', proceed: false });
  });
});

describe('a service that stops in the middle of a question', () => {
  it('rejects the caller with ServiceClosedError, decides nothing, and asks on after the start', async () => {
    const recorder = new Recorder();
    const site = await InProcessSite.create(recorder, { timeoutDecision: 'proceed' });
    try {
      const { notifications } = await site.node();
      const ask = (from: typeof notifications) => from!.notifyUser({ message: 'Go on?' }, 'ann', 'task', 1, { key: 'k' });
      const asked = ask(notifications);
      const rejected = expect(asked).rejects.toMatchObject({ name: 'ServiceClosedError', code: 'UNAVAILABLE' });
      const restarted = site.restart(0);
      await rejected;
      await expect(ask(notifications)).rejects.toMatchObject({ name: 'ServiceClosedError' });
      await restarted;
      const { notifications: again } = await site.node();
      const { items } = await again!.listConfirmations({ userId: 'ann', limit: 10 });
      expect(items).toMatchObject([{ state: 'pending' }]);
      const asking = ask(again);
      await again!.answer(items[0]!.callbackId, { userId: 'ann' }, { proceed: false });
      expect(await asking).toMatchObject({ outcome: 'answered', proceed: false, callbackId: items[0]!.callbackId });
    } finally {
      await site.close();
    }
  });
});
