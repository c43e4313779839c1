/** `kill -9` of the real program with 10 000 prompts pending, `KILLS` times on the same data. */
import { check } from '../history/checker.js';
import { Recorder } from '../history/recorder.js';
import { KillWorkload } from '../history/workloads/kill-mid-stream.js';
import { seedOf } from '../support/random.js';
import { ProcessSite } from '../history/sites/single-node.js';

const ROUNDS = Number(process.env['KILLS'] ?? 20);

it('the service loses nothing acknowledged when it is killed among creates and answers, and is ready again within 3 s', async () => {
  const recorder = new Recorder();
  const site = await ProcessSite.create(recorder, { WEBSOCKET_TIMEOUT_DECISION: 'proceed' });
  const workload = new KillWorkload(site, recorder, { seed: seedOf('kill -9'), rounds: ROUNDS, pending: 10_000, burst: 1500 });
  try {
    await workload.run();
  } finally {
    await site.close();
  }
  const [first = 0, ...restarts] = site.readyAfterMs;
  const slowest = Math.max(...restarts);
  const acknowledged = recorder.entries.filter(({ kind }) => kind === 'created' || kind === 'accepted').length;
  console.log(
    `kill -9: ${restarts.length} rounds, ${acknowledged} acknowledged creates and answers; ` +
      `ready after at most ${Math.round(slowest)} ms, the first time, with nothing stored, after ${Math.round(first)} ms`,
  );
  expect(workload.missing).toEqual([]);
  expect(check(recorder.entries)).toEqual([]);
  expect(restarts).toHaveLength(ROUNDS);
  // On a machine that takes long for an empty start, a start on data takes no more than three times that.
  expect(slowest).toBeLessThan(Math.max(3000, 3 * first));
}, 600_000);
