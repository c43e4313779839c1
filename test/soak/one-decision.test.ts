/** The long run of `test/e2e/one-decision.test.ts`: `SOAK_ROUNDS` × 5000 confirmations, 10 000 answers at the deadline. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from '../history/checker.js';
import { Recorder } from '../history/recorder.js';
import { Workload } from '../history/workloads/random-mix.js';
import { aimAtDeadlines } from '../history/workloads/answers-at-deadline.js';
import { seedOf } from '../support/random.js';
import { InProcessSite, ProcessSite } from '../history/sites/single-node.js';

const LIMIT_MS = 3_600_000;
/** A record is judged before the next one begins, so that memory does not grow with the run. */
const ROUND = 5000;
/** How many rounds in all; a fifth of them with a killed program. */
const ROUNDS = Number(process.env['SOAK_ROUNDS'] ?? 20);
const KILLED_ROUNDS = Math.ceil(ROUNDS / 5);
const IN_PROCESS_ROUNDS = ROUNDS - KILLED_ROUNDS;

describe('confirmations in random order, round after round on the same data', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soak-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it(
    `${IN_PROCESS_ROUNDS * ROUND} each come to one decision, with the service stopped 10 times in each round`,
    async () => {
      const seed = seedOf('soak');
      for (let round = 1; round <= IN_PROCESS_ROUNDS; round += 1) {
        const timeoutDecision = round % 2 === 0 ? 'proceed' : 'abort';
        const recorder = new Recorder();
        const site = await InProcessSite.create(recorder, { timeoutDecision, dataDir: folder });
        try {
          await new Workload(site, recorder, { seed, round, prompts: ROUND, restarts: 10, timeoutDecision }).run();
        } finally {
          await site.close();
        }
        expect({ round, violations: check(recorder.entries, { decisionsRecorded: true }) }).toEqual({ round, violations: [] });
      }
    },
    LIMIT_MS,
  );

  it(
    `${KILLED_ROUNDS * ROUND} each come to one decision, with the real program killed 10 times in each round`,
    async () => {
      const seed = seedOf('soak, killed');
      for (let round = 1; round <= KILLED_ROUNDS; round += 1) {
        const timeoutDecision = round % 2 === 0 ? 'proceed' : 'abort';
        const recorder = new Recorder();
        const site = await ProcessSite.create(recorder, {
          WEBSOCKET_TIMEOUT_DECISION: timeoutDecision,
          WEBSOCKET_DATA_DIR: folder,
        });
        try {
          await new Workload(site, recorder, { seed, round, prompts: ROUND, restarts: 10, timeoutDecision }).run();
        } finally {
          await site.close();
        }
        expect({ round, violations: check(recorder.entries) }).toEqual({ round, violations: [] });
      }
    },
    LIMIT_MS,
  );
});

describe('10 000 answers aimed at the deadline ± 5 ms', () => {
  it(
    'tell the answerer what the caller got, on either side of it',
    async () => {
      const recorder = new Recorder();
      const site = await InProcessSite.create(recorder, { timeoutDecision: 'proceed' });
      try {
        const { intime, late } = await aimAtDeadlines(site, recorder, { seed: seedOf('deadline'), count: 10_000, spreadMs: 5 });
        console.log(`10 000 answers at the deadline: ${intime} in time, ${late} late`);
        expect(Math.min(intime, late)).toBeGreaterThan(1000);
      } finally {
        await site.close();
      }
      expect(check(recorder.entries, { decisionsRecorded: true })).toEqual([]);
    },
    LIMIT_MS,
  );
});
