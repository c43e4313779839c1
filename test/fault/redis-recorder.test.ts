/**
 * Three nodes on one Redis under load, with the record judged, while something happens to Redis or to a node; and after
 * each fault work has to go on, on every node. `REDIS_KILLS`, `REDIS_PENDING`, `REDIS_CALLERS` say how much; `SEED` repeats.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { check } from '../history/checker.js';
import { checkTimeliness } from '../history/timeliness-checker.js';
import { decidedPrompts, Recorder } from '../history/recorder.js';
import { RedisSite } from '../history/sites/nodes-on-redis.js';
import { requireBinary } from '../support/system.js';
import { KillWorkload } from '../history/workloads/kill-mid-stream.js';
import { Liveness } from '../history/workloads/liveness.js';
import { Outage } from '../history/workloads/redis-outage.js';
import { seedOf } from '../support/random.js';
import { Workload } from '../history/workloads/random-mix.js';

const LIMIT_MS = 900_000;
const KILLS = Number(process.env['REDIS_KILLS'] ?? 20);
const PENDING = Number(process.env['REDIS_PENDING'] ?? 10_000);
const CALLERS = Number(process.env['REDIS_CALLERS'] ?? 500);
/** A caller by REST polls again after 30 s, and would then find a decision whose event was lost. */
const TIMELINESS = { withinMs: 20_000 };
const GOES_ON = { questions: 20, withinMs: 15_000 };

requireBinary('redis-server')('three nodes on one Redis, under load', () => {
  let recorder: Recorder;
  let site: RedisSite;
  let liveness: Liveness;
  const begin = async (timeoutDecision: 'proceed' | 'abort'): Promise<void> => {
    recorder = new Recorder();
    site = await RedisSite.create(recorder, { environment: { WEBSOCKET_TIMEOUT_DECISION: timeoutDecision } });
    liveness = new Liveness(site, recorder, GOES_ON);
  };
  afterEach(() => site.close());

  /** The random work goes on while `fault` happens `times` times, and so it does afterwards. */
  const under = async (
    times: number,
    prompts: number,
    timeoutDecision: 'proceed' | 'abort',
    fault: (time: number) => Promise<void>,
  ): Promise<void> => {
    let time = 0;
    const restart = async (): Promise<void> => {
      await fault((time += 1));
      await liveness.prove();
    };
    const faulty = { node: () => site.node(), restart, close: () => site.close() };
    const seed = seedOf('redis faults');
    const options = { seed, prompts, restarts: times, timeoutDecision, concurrency: 32, sweeps: true };
    await new Workload(faulty, recorder, options).run();
    expect(time).toBe(times);
  };

  const judge = (what: string, figures: object = {}, { newcomersMayBeRefused = false } = {}): void => {
    const timeliness = checkTimeliness(recorder, { ...TIMELINESS, newcomersMayBeRefused });
    const { entries, times } = recorder;
    const count = (kind: string): number => entries.filter((entry) => entry.kind === kind).length;
    console.log(
      `${what}: ${JSON.stringify({
        asked: count('ask'),
        accepted: count('accepted'),
        decisions: decidedPrompts(entries),
        slowestDeliveryMs: timeliness.slowestMs,
        ...(liveness.tookMs.length > 0 && { goesOnAfterMs: Math.max(...liveness.tookMs) }),
        ...figures,
      })}`,
    );
    expect([...check(entries, { times, newcomersMayBeRefused }), ...timeliness.violations]).toEqual([]);
  };

  it(
    `lose nothing, and heal, when Redis is killed and started again, ${KILLS} times`,
    async () => {
      await begin('proceed');
      const outage = new Outage(site, recorder);
      await under(KILLS, KILLS * 100, 'proceed', async (time) => {
        const isLong = time % 5 === 0;
        if (isLong) await outage.prepare(5);
        await site.withoutRedis('killed', () => (isLong ? outage.prove().then(() => pause(5000)) : pause((time * 37) % 300)));
        if (isLong) await outage.heal();
      });
      const { slowestRefusalMs, slowestRedMs } = outage;
      const [readyMs, healedMs] = [Math.max(...site.readyMs), Math.max(...site.healedMs)];
      judge(`Redis killed ${KILLS} times`, { readyMs, healedMs, slowestRefusalMs, slowestRedMs });
    },
    LIMIT_MS,
  );

  it(
    'turn red, refuse what is new, let waiters wait and sockets be, and heal, when Redis stands still for ten seconds',
    async () => {
      await begin('proceed');
      const outage = new Outage(site, recorder);
      await under(2, 400, 'proceed', async () => {
        await outage.prepare(30);
        await site.withoutRedis('frozen', () => Promise.all([outage.prove(), pause(10_000)]));
        await outage.heal();
      });
      const { slowestRefusalMs, slowestRedMs } = outage;
      const [readyMs, healedMs] = [Math.max(...site.readyMs), Math.max(...site.healedMs)];
      judge('Redis stood still for 10 s twice', { readyMs, healedMs, slowestRefusalMs, slowestRedMs });
    },
    LIMIT_MS,
  );

  it(
    'find by reading what they do not hear, when their pub/sub connections are killed again and again',
    async () => {
      await begin('abort');
      let kills = 0;
      await under(10, 1000, 'abort', async () => {
        for (let time = 0; time < 10; time += 1) {
          await site.killPubSub();
          kills += 1;
          await pause(100);
        }
      });
      judge(`pub/sub connections killed ${kills} times`, {}, { newcomersMayBeRefused: true });
    },
    LIMIT_MS,
  );

  it(
    `give callers who come back to another node their answer, when nodes are killed with ${PENDING} prompts pending`,
    async () => {
      await begin('proceed');
      const options = { seed: seedOf('redis kill -9'), rounds: 4, pending: PENDING, burst: 1500, callers: CALLERS };
      const workload = new KillWorkload(site, recorder, options);
      await workload.run();
      await liveness.prove();
      const restartMs = Math.max(...site.startMs.slice(3));
      judge(`nodes killed ${options.rounds} times`, { restartMs, ...comingsBack(recorder) });
      expect(workload.missing).toEqual([]);
      expect(site.startMs).toHaveLength(3 + options.rounds);
    },
    LIMIT_MS,
  );
});

/** How many callers lost their node, and how many of these got their decision on another one. */
function comingsBack({ entries }: Recorder): { cameBack: number; servedElsewhere: number } {
  const lostOn = new Map<number, string>();
  const served = new Set<number>();
  const calls = new Map<number, { question: number; node: string }>();
  for (const entry of entries) {
    if (entry.kind === 'ask' && entry.waits !== false) calls.set(entry.call, entry);
    if (entry.kind !== 'failed' && entry.kind !== 'ended') continue;
    const call = calls.get(entry.call);
    if (!call) continue;
    if (entry.kind === 'failed') lostOn.set(call.question, call.node);
    else if (lostOn.has(call.question) && lostOn.get(call.question) !== call.node) served.add(call.question);
  }
  return { cameBack: lostOn.size, servedElsewhere: served.size };
}
