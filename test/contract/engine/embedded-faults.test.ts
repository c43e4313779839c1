/** The embedded engine when a step of its store fails, stalls, or takes the thread with it (E6): nothing is decided by a fault. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { NEWS } from '../../support/news.js';
import type { EmbeddedEngine } from '../../../src/notification/engine/embedded/embedded-engine.js';
import type { HistoryResult } from '../../../src/notification/engine/engine.js';
import { EngineUnavailableError, StoreFullError } from '../../../src/notification/notification.errors.js';
import { EngineFolder } from '../../support/engine-folder.js';
import type { Fault } from '../../support/faulty-sqlite.js';
import { FaultyStore } from '../../support/faulty-store.js';
import { EngineRecorder } from '../../support/engine-recorder.js';
import { AFTER_DECISIONS } from '../../support/webhook-events.js';
import { question } from './engine-under-test.js';

const IOERR = 10;
const FULL = 13;

describe('faults of the store', () => {
  let folder: EngineFolder;
  let engine: EmbeddedEngine;
  let recorder: EngineRecorder;
  let store: FaultyStore;

  const start = async (settings = {}): Promise<void> => {
    recorder = new EngineRecorder();
    store = new FaultyStore();
    engine = folder.engineWith(settings, { newWorker: store.newWorker });
    await engine.start(recorder);
    await engine.replayDecisions();
  };
  const answer = (callbackId: string) =>
    engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', answer: { proceed: true } });
  const untilTaken = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof EngineUnavailableError || error instanceof StoreFullError)) throw error;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  };

  beforeEach(async () => {
    folder = await EngineFolder.create();
    await start();
  });
  afterEach(() => folder.close());

  it.each([
    ['once, it is repeated and nobody notices', 1],
    ['twice, the call rejects, may be repeated, and nothing is decided or lost', 2],
  ])('never leave a half-made step: when it fails %s', async (_, times) => {
    let hits = 0;
    let rejections = 0;
    for (let skip = 0; ; skip += times) {
      const logged = folder.log.length;
      store.inject({ skip, times, effect: { kind: 'error', resultCode: IOERR } });
      const call = async <Result>(action: () => Promise<Result>): Promise<Result> => {
        const first = action();
        first.catch((error: unknown) => {
          rejections += 1;
          expect(error).toBeInstanceOf(EngineUnavailableError);
        });
        return first.catch(() => untilTaken(action));
      };
      const { callbackId } = (
        await call(() => engine.confirmations.open(question({ taskId: `t-${skip}`, callbackId: `answered-${skip}` })))
      ).confirmation;
      const decided = await call(() => answer(callbackId));
      expect(decided).toMatchObject({ confirmation: { state: 'answered', decision: { proceed: true } } });
      await call(() => engine.confirmations.open(question({ taskId: `t-${skip}`, callbackId: `cancelled-${skip}` })));
      await call(() => engine.tasks.cancel({ taskId: `t-${skip}`, scope: 'all', cancelledBy: null, allowUnknown: true }));
      expect(await untilTaken(() => engine.confirmations.get(`cancelled-${skip}`))).toMatchObject({
        state: 'cancelled',
        decision: { proceed: false },
      });
      await call(() =>
        engine.broker.sendAcknowledged({
          messageId: `m-${skip}`,
          userId: 'ann',
          message: { type: 'mail' },
          ttlMs: 60_000,
        }),
      );
      await call(() => engine.broker.ack(`m-${skip}`, 'all'));
      const before = await untilTaken(() => engine.broker.position('news'));
      await call(() => engine.broker.publish({ channel: NEWS, message: { type: 'note', skip }, recoverable: true }));
      const after = await untilTaken(() => engine.broker.position('news'));
      expect(after.offset).toBe(before.offset + 1);
      for (const id of [`answered-${skip}`, `cancelled-${skip}`]) expect(recorder.decisionsOf(id).length).toBe(1);
      if (!folder.log.slice(logged).some((line) => line.includes('injected fault'))) break;
      hits += 1;
    }
    expect(hits * times).toBeGreaterThan(30);
    expect(rejections > 0).toBe(times > 1);
    expect(await untilTaken(() => engine.counts())).toEqual({ pendingConfirmations: 0, unacknowledgedMessages: 0 });
  });

  it.each(['INSERT INTO notice', 'UPDATE confirmation', 'COMMIT'])(
    'leave neither a decision without its notice nor a notice without its decision (E7): %s',
    async (match) => {
      await engine.close();
      await start({ webhookEvents: AFTER_DECISIONS });
      const { callbackId } = (await engine.confirmations.open(question())).confirmation;
      store.inject({ match, times: 2, effect: { kind: 'error', resultCode: IOERR } });
      await expect(answer(callbackId)).rejects.toThrow(EngineUnavailableError);
      expect((await untilTaken(() => engine.confirmations.get(callbackId)))?.state).toBe('pending');
      expect(await engine.events.counts()).toEqual({ waiting: 0 });
      await answer(callbackId);
      expect(await engine.events.claim(10, 60_000)).toMatchObject([{ subject: { confirmation: { callbackId } } }]);
    },
  );

  it.each(['INSERT INTO notice', 'INSERT INTO confirmation_prompt', 'COMMIT'])(
    'leave neither a prompt without the notice of its opening nor a notice without its prompt (E7): %s',
    async (match) => {
      await engine.close();
      await start({ webhookEvents: ['confirmation.opened'] });
      store.inject({ match, times: 2, effect: { kind: 'error', resultCode: IOERR } });
      await expect(engine.confirmations.open(question())).rejects.toThrow(EngineUnavailableError);
      expect(await untilTaken(() => engine.counts())).toMatchObject({ pendingConfirmations: 0 });
      expect(await engine.events.counts()).toEqual({ waiting: 0 });
      const { callbackId } = (await engine.confirmations.open(question())).confirmation;
      expect(await engine.events.claim(10, 60_000)).toMatchObject([{ subject: { confirmation: { callbackId } } }]);
    },
  );

  it('fail one call and not the others that shared its transaction', async () => {
    store.inject({ match: 'INSERT INTO acknowledged_message', times: 2, effect: { kind: 'error', resultCode: IOERR } });
    const opening = Array.from({ length: 10 }, () => engine.confirmations.open(question()));
    const failing = engine.broker.sendAcknowledged({
      messageId: 'm',
      userId: 'ann',
      message: { type: 'mail' },
      ttlMs: 60_000,
    });
    await expect(failing).rejects.toThrow(EngineUnavailableError);
    expect((await Promise.all(opening)).every(({ created }) => created)).toBe(true);
    expect(recorder.of('opened')).toHaveLength(10);
    expect(recorder.of('message')).toEqual([]);
    expect(await engine.counts()).toEqual({ pendingConfirmations: 10, unacknowledgedMessages: 0 });
  });

  it('decide nothing when they meet the clock: the deadline is applied when the store works again', async () => {
    await engine.confirmations.open(question({ timeoutMs: 30, onTimeout: 'proceed', callbackId: 'c' }));
    store.inject({ match: 'UPDATE confirmation SET state', times: 4, effect: { kind: 'error', resultCode: IOERR } });
    const { confirmation } = await recorder.nth('decided');
    expect(confirmation).toMatchObject({ callbackId: 'c', state: 'timed_out' });
    expect(recorder.of('decided')).toHaveLength(1);
  });

  it('refuse new things and not answers while room is missing, and pass', async () => {
    const { callbackId } = (await engine.confirmations.open(question())).confirmation;
    store.inject({ match: 'COMMIT', effect: { kind: 'error', resultCode: FULL } });
    await expect(engine.confirmations.open(question())).rejects.toThrow(StoreFullError);
    await expect(engine.broker.publish({ channel: NEWS, message: { type: 'note' }, recoverable: true })).rejects.toThrow(
      StoreFullError,
    );
    expect((await answer(callbackId)).status).toBe('accepted');
    expect((await untilTaken(() => engine.confirmations.open(question()))).created).toBe(true);
    expect(folder.log.some((line) => line.includes('has room again'))).toBe(true);
  });

  it.each<[string, Fault]>([
    ['while they last', { match: 'INSERT INTO publication', times: 4, effect: { kind: 'error', resultCode: IOERR } }],
    ['when they end its thread', { match: 'INSERT INTO publication', effect: { kind: 'exit' } }],
  ])('let publications be delivered %s, and leave none out of history afterwards', async (_, fault) => {
    const publish = (channel: string) =>
      engine.broker.publish({ channel: parseChannel(channel), message: { type: 'note' }, recoverable: true });
    const { position: since } = await publish('news');
    if (!since) throw new Error('no position');
    store.inject(fault);
    for (const offset of [2, 3]) expect((await publish('news')).position).toEqual({ ...since, offset });
    // These would show that something is missing, or give an offset again.
    const reading = [engine.broker.position('news'), engine.waiting('ann'), publish('news'), publish('other')];
    for (const read of reading) await expect(read).rejects.toThrow(EngineUnavailableError);
    expect((await untilTaken(() => engine.confirmations.open(question()))).created).toBe(true);
    expect((await untilTaken(() => publish('news'))).position).toEqual({ ...since, offset: 4 });
    const { publications } = (await engine.broker.history({ channel: 'news', since, limit: 10 })) as HistoryResult & {
      complete: true;
    };
    expect(publications.map(({ offset }) => offset)).toEqual([2, 3, 4]);
  });

  it('reject calls under way when they end its thread; another takes over and reports a possible gap', async () => {
    const { callbackId } = (await engine.confirmations.open(question())).confirmation;
    store.inject({ match: 'COMMIT', effect: { kind: 'exit' } });
    const inFlight = [answer(callbackId), engine.confirmations.open(question()), engine.ping()];
    for (const call of inFlight) await expect(call).rejects.toThrow(EngineUnavailableError);
    await expect(engine.confirmations.open(question())).rejects.toThrow(EngineUnavailableError);
    await recorder.nth('gap');
    expect((await engine.confirmations.get(callbackId))?.state).toBe('pending');
    expect((await answer(callbackId)).status).toBe('accepted');
  });

  it('do not stop the clock when they end its thread', async () => {
    await engine.confirmations.open(question({ timeoutMs: 40, onTimeout: 'proceed', onTimeoutBy: 'setting' }));
    store.inject({ match: 'BEGIN', effect: { kind: 'exit' } });
    await expect(engine.ping()).rejects.toThrow(EngineUnavailableError);
    const { confirmation } = await recorder.nth('decided');
    expect(confirmation.state).toBe('timed_out');
  });

  it('do not keep it from closing when they end its thread', async () => {
    store.inject({ match: 'BEGIN', effect: { kind: 'exit' } });
    await expect(engine.ping()).rejects.toThrow(EngineUnavailableError);
    await engine.close();
    await start();
    await engine.ping();
  });

  it('reject new prompts and pings within 2 s when they stall it; waiting calls go on waiting', async () => {
    const { callbackId } = (await engine.confirmations.open(question())).confirmation;
    store.inject({ match: 'BEGIN', effect: { kind: 'stall', ms: 2400 } });
    const begun = performance.now();
    const answering = answer(callbackId);
    const [opening, pinging] = await Promise.allSettled([engine.confirmations.open(question()), engine.ping()]);
    expect(performance.now() - begun).toBeLessThan(2300);
    for (const call of [opening, pinging])
      expect(call).toMatchObject({ status: 'rejected', reason: expect.any(EngineUnavailableError) });
    expect((await answering).status).toBe('accepted');
    await engine.ping();
  });
});
