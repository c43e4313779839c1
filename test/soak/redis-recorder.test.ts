/**
 * The promises of confirmations (README, 1 to 5) over three nodes on one Redis: answers, deadlines, cancellations, withdrawals and `kill -9` of
 * nodes while the others live, in random order. `RECORDED` says how many questions, `SEED` repeats the random choices.
 */
import { check } from '../history/checker.js';
import { checkTimeliness } from '../history/timeliness-checker.js';
import { decidedPrompts, Recorder } from '../history/recorder.js';
import { RedisSite } from '../history/sites/nodes-on-redis.js';
import { requireBinary } from '../support/system.js';
import { Workload } from '../history/workloads/random-mix.js';
import { aimAtDeadlines } from '../history/workloads/answers-at-deadline.js';
import { seedOf } from '../support/random.js';

const LIMIT_MS = 1_800_000;
const ROUND = 1500;
const TOTAL = Number(process.env['RECORDED'] ?? 6000);
const KILLS = 6;
/** A caller by REST polls again after 30 s, and would then find a decision whose event was lost. */
const TIMELINESS = { withinMs: 20_000 };

requireBinary('redis-server')('three nodes on one Redis', () => {
  it(
    `bring ${TOTAL} questions each to one decision that every caller and device gets, with a node killed ${KILLS} times in each round`,
    async () => {
      const seed = seedOf('redis soak');
      const sum = { questions: 0, decisions: 0, kills: 0, slowestStartMs: 0, slowestDeliveryMs: 0 };
      const began = Date.now();
      for (let done = 0, round = 1; done < TOTAL; done += ROUND, round += 1) {
        const timeoutDecision = round % 2 === 0 ? 'proceed' : 'abort';
        const prompts = Math.min(ROUND, TOTAL - done);
        const recorder = new Recorder();
        const site = await RedisSite.create(recorder, { environment: { WEBSOCKET_TIMEOUT_DECISION: timeoutDecision } });
        try {
          await new Workload(site, recorder, { seed, round, prompts, restarts: KILLS, timeoutDecision }).run();
        } finally {
          await site.close();
        }
        const timeliness = checkTimeliness(recorder, TIMELINESS);
        const violations = [...check(recorder.entries, { times: recorder.times }), ...timeliness.violations];
        expect({ round, violations }).toEqual({ round, violations: [] });
        sum.questions += prompts;
        sum.decisions += decidedPrompts(recorder.entries);
        sum.kills += site.startMs.length - 3;
        sum.slowestStartMs = Math.max(sum.slowestStartMs, ...site.startMs);
        sum.slowestDeliveryMs = Math.max(sum.slowestDeliveryMs, timeliness.slowestMs);
      }
      console.log(JSON.stringify({ ...sum, tookMs: Date.now() - began }));
    },
    LIMIT_MS,
  );

  it(
    'tell the answerer what the caller got, on either side of the deadline',
    async () => {
      const recorder = new Recorder();
      const site = await RedisSite.create(recorder, { environment: { WEBSOCKET_TIMEOUT_DECISION: 'proceed' } });
      const count = Math.ceil(TOTAL / 6);
      try {
        const aimed = { seed: seedOf('deadline'), count, spreadMs: 10, timeoutMs: [150, 400], lanes: 8 } as const;
        const { intime, late } = await aimAtDeadlines(site, recorder, aimed);
        console.log(`${count} answers at the deadline over three nodes: ${intime} in time, ${late} late`);
        expect(Math.min(intime, late)).toBeGreaterThan(count / 10);
      } finally {
        await site.close();
      }
      const { violations } = checkTimeliness(recorder, TIMELINESS);
      expect([...check(recorder.entries, { times: recorder.times }), ...violations]).toEqual([]);
    },
    LIMIT_MS,
  );
});
