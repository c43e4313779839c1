/** The short run of `test/fault/client-sequences.test.ts`. */
import { runSequences } from '../support/client-sequences.js';
import { startService, type TestService } from '../support/service.js';

describe('an answer', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it('settles with the truth, whatever breaks and whatever else decides', async () => {
    const seeds = Array.from({ length: 40 }, (_, index) => index + 1);
    const { faults, resolved, decidedElsewhere } = await runSequences(service, seeds, 8);
    expect(faults).toEqual([]);
    expect(resolved).toBeGreaterThan(0);
    expect(decidedElsewhere).toBeGreaterThan(0);
    expect(resolved + decidedElsewhere).toBe(40);
  }, 60_000);
});
