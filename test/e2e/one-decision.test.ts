/** Contract §4.1 to §4.6 under everything at once: `test/support/workload.ts` does it, `test/support/checker.ts` judges. */
import { check } from '../support/checker.js';
import { Recorder } from '../support/recorder.js';
import { Workload } from '../support/workload.js';
import { seedOf } from '../support/workload-random.js';
import { InProcessSite } from '../support/workload-site.js';

describe('2 000 questions with callers, devices, deadlines, cancellations, withdrawals and restarts in random order', () => {
  it.each(['proceed', 'abort'] as const)(
    'each come to one decision that everybody is told, with the setting %s',
    async (timeoutDecision) => {
      const seed = seedOf('one decision');
      const recorder = new Recorder();
      const site = await InProcessSite.create(recorder, { timeoutDecision });
      try {
        await new Workload(site, recorder, { seed, prompts: 1000, restarts: 2, timeoutDecision }).run();
      } finally {
        await site.close();
      }
      expect(check(recorder.entries, { decisionsRecorded: true })).toEqual([]);
    },
    60_000,
  );
});
