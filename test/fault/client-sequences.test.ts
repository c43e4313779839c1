/** A thousand seeded sequences of cuts, answers and decisions elsewhere: every promise settles with the truth. */
import { runSequences } from '../support/client-sequences.js';
import { startService } from '../support/service.js';

const SEQUENCES = Number(process.env['CLIENT_SEQUENCES'] ?? 1000);

it(`settles every answer with the truth in ${SEQUENCES} sequences`, async () => {
  const service = await startService({ environment: { WEBSOCKET_RATE_LIMIT: '1000' } });
  try {
    const seeds = Array.from({ length: SEQUENCES }, (_, index) => index + 1);
    const result = await runSequences(service, seeds, 10);
    console.log(JSON.stringify(result));
    expect(result.faults).toEqual([]);
    expect(result.resolved + result.decidedElsewhere).toBe(SEQUENCES);
  } finally {
    await service.stop();
  }
}, 600_000);
