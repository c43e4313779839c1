/** Every step of the store fails in its turn, under the whole service: no caller learns of a decision that was not made. */
import { check } from '../history/checker.js';
import { Recorder } from '../history/recorder.js';
import { ERROR, FaultySite, IOERR, REFUSALS_OF_A_FAULTY_STORE } from '../history/workloads/store-faults.js';
import type { Fault } from '../support/faulty-sqlite.js';

describe('a store of which a step fails', () => {
  const faults: [string, Pick<Fault, 'times' | 'effect'>][] = [
    ['once', { times: 1, effect: { kind: 'error', resultCode: ERROR } }],
    ['and its repetition as well', { times: 2, effect: { kind: 'error', resultCode: ERROR } }],
    ['three times', { times: 3, effect: { kind: 'error', resultCode: ERROR } }],
    ['as on a broken disk', { times: 1, effect: { kind: 'error', resultCode: IOERR } }],
    ['and takes its thread with it', { times: 1, effect: { kind: 'exit' } }],
    ['to answer for a while', { times: 1, effect: { kind: 'stall', ms: 100 } }],
  ];
  it.each(faults)(
    '%s never proceeds; every call is refused by a typed error, and gets its decision once the store works again',
    async (_how, fault) => {
      const recorder = new Recorder();
      const site = await FaultySite.create(recorder);
      let met = 0;
      try {
        // A stall leaves no trace, so the number of steps is not asked of it.
        for (let skip = 0; fault.effect.kind === 'stall' ? skip < 60 : await site.live({ ...fault, skip }); skip += 1) {
          if (fault.effect.kind === 'stall') await site.live({ ...fault, skip });
          met += 1;
        }
      } finally {
        await site.close();
      }
      console.log(`${met} steps failed ${_how}`);
      expect(met).toBeGreaterThan(30);
      expect(check(recorder.entries, { tolerated: REFUSALS_OF_A_FAULTY_STORE })).toEqual([]);
    },
    300_000,
  );
});
