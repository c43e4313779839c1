/**
 * A fail-over: the master dies while its replica lags, and the replica is promoted. What had been acknowledged may be gone
 * then, unless replicas were waited for; no caller gets *proceed* without an answer, and every client recovers.
 */
import { untilAvailable } from '../support/redis-nodes.js';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ConfirmationLostError,
  EngineUnavailableError,
  NotFoundError,
  type DecisionEvent,
} from '../../src/notification/index.js';
import { RedisPair } from '../support/redis-pair.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

const STEP = { message: 'Deploy?' };

requireBinary('redis-server')('when a replica is promoted', () => {
  let pair: RedisPair;
  let nodes: TestService[];
  let decisions: DecisionEvent[][];
  let working = false;
  const node = (index: number): TestService => nodes[index] as TestService;

  const start = async (environment: Record<string, string> = {}): Promise<void> => {
    pair = await RedisPair.start();
    const settings = { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: pair.url, ...environment };
    nodes = await Promise.all([0, 1, 2].map(() => startService({ environment: settings })));
    decisions = nodes.map(({ notifications }) => {
      const emitted: DecisionEvent[] = [];
      notifications.decisions$.subscribe((decision) => emitted.push(decision));
      return emitted;
    });
  };
  afterEach(async () => {
    working = false;
    await Promise.all(nodes.map((one) => one.stop()));
    await pair.stop();
  });

  const keyOf = (callbackId: string): string => `ws:0:{p${callbackId.split('.')[0]}}:confirmation:${callbackId}`;
  const ready = async (): Promise<void> => {
    for (const one of nodes) while ((await one.rest('GET', '/health/ready')).status !== 200) await delay(20);
  };

  it('what the replica lacks is gone, callers that wait for it are rejected, and work goes on', async () => {
    await start();
    const [ann, bob] = [await node(0).connectAs('ann'), await node(1).connectAs('bob')];
    const { epoch, offset } = await ann.request({ action: 'subscribe', channel: 'news' });
    const kept = node(1).notifications.notifyUser(STEP, 'ann', 'kept', 1, { timeoutMs: null });
    const { callback_id: keptId } = await ann.next({ type: 'task_step_result', task_id: 'kept' });
    const answered = node(2).notifications.notifyUser(STEP, 'ann', 'answered', 1, { timeoutMs: null });
    const { callback_id: answeredId } = await ann.next({ type: 'task_step_result', task_id: 'answered' });
    // Whose default of proceed is the setting's word alone.
    const overdue = node(1).notifications.notifyUser(STEP, 'bob', 'overdue', 1, { timeoutMs: 3000 });
    const { callback_id: overdueId } = await bob.next({ type: 'task_step_result', task_id: 'overdue' });
    await pair.lag();

    const lost = node(0).notifications.notifyUser(STEP, 'ann', 'lost', 1);
    const keyed = node(1).notifications.notifyUser(STEP, 'bob', 'lost', 2, { key: 'k', timeoutMs: null });
    const losses = Promise.allSettled([lost, keyed]);
    const { callback_id: lostId } = await ann.next({ type: 'task_step_result', task_id: 'lost' });
    const { callback_id: keyedId } = await bob.next({ type: 'task_step_result', task_id: 'lost' });
    const polled = node(2).rest('GET', `/ws/confirmations/${String(lostId)}?wait=60`);
    expect(await ann.request({ action: 'confirm', callback_id: answeredId, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await answered).toMatchObject({ outcome: 'answered', proceed: true });
    await node(2).notifications.publish('news', { type: 'lost too' });
    await ann.next({ type: 'lost too', offset: 1 });
    // The poll has begun before the master ends.
    await node(2).rest('GET', `/ws/confirmations/${String(lostId)}`);

    await pair.kill();
    await expect(node(0).notifications.notifyUser(STEP, 'ann', 'meanwhile', 1)).rejects.toThrow(EngineUnavailableError);
    expect(decisions.flat().filter(({ callbackId }) => callbackId === overdueId)).toEqual([]);
    await delay(3000);
    await pair.promote();

    for (const outcome of await losses)
      expect(outcome.status === 'rejected' && (outcome.reason as unknown)).toEqual(expect.any(ConfirmationLostError));
    expect(await polled).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await overdue).toMatchObject({ outcome: 'timed_out', proceed: false });
    await ready();
    // Clients have kept their connections, and are counted again.
    for (const user of ['ann', 'bob'])
      while ((await untilAvailable(() => node(2).notifications.presence(user))).connections !== 1) await delay(20);
    expect(await ann.request({ action: 'confirm', callback_id: lostId, proceed: true })).toMatchObject({ code: 'NOT_FOUND' });
    // Asked again, by its key too, it is a new one.
    const second = node(2).notifications.notifyUser(STEP, 'bob', 'lost', 2, { key: 'k', timeoutMs: null });
    const { callback_id: secondId } = await bob.next({ type: 'task_step_result', task_id: 'lost' });
    expect(secondId).not.toBe(keyedId);
    await bob.request({ action: 'confirm', callback_id: secondId, proceed: false });
    expect(await second).toMatchObject({ outcome: 'answered', proceed: false });
    // What stood stands, and its caller still waits.
    expect(await ann.request({ action: 'confirm', callback_id: keptId, proceed: true })).toMatchObject({
      type: 'confirmation_accepted',
    });
    expect(await kept).toMatchObject({ outcome: 'answered', proceed: true });
    // An answer that was lost can be given again; its caller had it, as it was given.
    expect((await node(0).notifications.getConfirmation(String(answeredId))).state).toBe('pending');
    await ann.request({ action: 'confirm', callback_id: answeredId, proceed: true });
    // Never a silent gap.
    const back = await node(1).connectAs('ann');
    await back.request({ action: 'subscribe', channel: 'news', recover: { epoch, offset } });
    expect(await back.next('recovered')).toMatchObject({ channel: 'news', recovered: false });
    const proceeds = new Set([keptId, answeredId]);
    for (const emitted of decisions)
      for (const { proceed, callbackId, outcome } of emitted)
        expect([callbackId, outcome, proceed]).toEqual([callbackId, expect.any(String), proceeds.has(callbackId)]);

    await pair.comeBack();
    expect(await pair.count(keyOf(String(lostId)), keyOf(String(keyedId)))).toEqual([0, 0]);
    expect(await pair.count(keyOf(String(keptId)), keyOf(String(secondId)))).toEqual([2, 2]);
    const last = node(0).notifications.notifyUser(STEP, 'bob', 'last', 1);
    const { callback_id: lastId } = await bob.next({ type: 'task_step_result', task_id: 'last' });
    await bob.request({ action: 'confirm', callback_id: lastId, proceed: true });
    expect(await last).toMatchObject({ proceed: true });
  }, 60_000);

  it('nothing that was acknowledged is gone where replicas are waited for; without one nothing is acknowledged', async () => {
    await start({ WEBSOCKET_REDIS_WAIT_REPLICAS: '1' });
    const ann = await node(0).connectAs('ann');
    const standing = node(1).notifications.notifyUser(STEP, 'ann', 'standing', 1, { timeoutMs: null });
    const { callback_id: standingId } = await ann.next({ type: 'task_step_result', task_id: 'standing' });

    const acknowledged = new Map<string, boolean | undefined>();
    const refused: unknown[] = [];
    working = true;
    const load = async ({ notifications }: TestService, name: string): Promise<void> => {
      for (let step = 0; working; step += 1) {
        try {
          const question = { stepResult: STEP, userId: `${name}-${step % 5}`, taskId: name, step, timeoutMs: null };
          const { callbackId } = (await notifications.openConfirmation(question)).confirmation;
          acknowledged.set(callbackId, undefined);
          const proceed = step % 2 === 0;
          await notifications.answer(callbackId, { userId: null }, { proceed });
          acknowledged.set(callbackId, proceed);
        } catch (error) {
          refused.push(error);
          await delay(5);
        }
      }
    };
    const loads = Promise.all(nodes.map((one, index) => load(one, `worker-${index}`)));
    while (acknowledged.size < 200) await delay(10);
    await pair.lag();
    for (const until = Date.now() + 10_000; refused.length < 6 && Date.now() < until;) await delay(10);
    const refusedLagging = refused.length;
    expect(await ann.request({ action: 'confirm', callback_id: standingId, proceed: true })).toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(decisions.flat().filter(({ callbackId }) => callbackId === standingId)).toEqual([]);
    working = false;
    await pair.kill();
    await loads;
    await pair.promote();
    await ready();
    // The new master has no replica yet.
    await expect(node(2).notifications.notifyUser(STEP, 'ann', 'new', 1)).rejects.toThrow(EngineUnavailableError);
    await pair.comeBack();

    expect(refused.filter((error) => !(error instanceof EngineUnavailableError))).toEqual([]);
    const missing: string[] = [];
    for (const [callbackId, proceed] of acknowledged) {
      const found = await untilAvailable(async () => {
        try {
          return (await node(2).notifications.getConfirmation(callbackId)).decision?.proceed;
        } catch (error) {
          if (error instanceof NotFoundError) return 'nothing';
          throw error;
        }
      });
      // One that was stored and whose answer was refused may be decided all the same.
      if (found === 'nothing' || (proceed !== undefined && found !== proceed)) missing.push(callbackId);
    }
    expect(missing).toEqual([]);
    expect(refusedLagging).toBeGreaterThan(5);
    for (const emitted of decisions)
      for (const { callbackId, proceed } of emitted)
        expect((await untilAvailable(() => node(1).notifications.getConfirmation(callbackId))).decision?.proceed).toBe(proceed);
    // The answer that was refused has decided nothing; given again it does.
    let reply = await ann.request({ action: 'confirm', callback_id: standingId, proceed: true });
    while (reply['code'] === 'UNAVAILABLE')
      reply = await ann.request({ action: 'confirm', callback_id: standingId, proceed: true });
    expect(reply).toMatchObject({ type: 'confirmation_accepted' });
    expect(await standing).toMatchObject({ outcome: 'answered', proceed: true });
    console.log(`promotion: ${acknowledged.size} acknowledged, ${refused.length} refused, none of the former missing`);
  }, 90_000);
});
