/**
 * One answer wins, on any device and node: devices of one user on the nodes of one Redis answer in opposite ways at once.
 * `OPPOSITES` and `OPPOSITES_OF_FIVE` say how many questions.
 */
import { check } from '../history/checker.js';
import { checkTimeliness } from '../history/timeliness-checker.js';
import { Recorder } from '../history/recorder.js';
import { RedisSite } from '../history/sites/nodes-on-redis.js';
import { requireBinary } from '../support/system.js';
import { answerOppositeWays } from '../history/workloads/opposite-answers.js';

const LIMIT_MS = 1_800_000;
/** A record is judged before the next one begins, so that memory does not grow with the run. */
const ROUND = 2000;

requireBinary('redis-server')('opposite answers at once over three nodes', () => {
  it.each([
    { devices: 2, total: Number(process.env['OPPOSITES'] ?? 10_000) },
    { devices: 5, total: Number(process.env['OPPOSITES_OF_FIVE'] ?? 2000) },
  ])(
    'leave one winner of $devices devices, $total times; callers, reader and devices agree, and the losers get the decision',
    async ({ devices, total }) => {
      const wins = Array.from({ length: devices }, () => 0);
      const began = Date.now();
      for (let done = 0; done < total; done += ROUND) {
        const count = Math.min(ROUND, total - done);
        const recorder = new Recorder();
        const site = await RedisSite.create(recorder);
        try {
          const score = await answerOppositeWays(site, recorder, { count, devices });
          score.wins.forEach((won, device) => (wins[device]! += won));
          expect(score).toMatchObject({ notOne: 0, unheard: 0 });
        } finally {
          await site.close();
          // Judged even when the count is wrong: it says what happened.
          const { violations } = checkTimeliness(recorder, { withinMs: 20_000 });
          expect([...check(recorder.entries, { times: recorder.times }), ...violations]).toEqual([]);
        }
      }
      const tookMs = Date.now() - began;
      console.log(`${total} questions answered by ${devices} devices on 3 nodes at once: won ${wins.join(', ')}; ${tookMs} ms`);
      expect(wins.reduce((sum, won) => sum + won)).toBe(total);
      // A race that one side always wins would be none.
      for (const won of wins) expect(won).toBeGreaterThan(total / devices / 10);
    },
    LIMIT_MS,
  );
});
