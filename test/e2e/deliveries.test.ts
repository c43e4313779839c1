/**
 * What happens around the confirmations (connections above the limit, messages, acknowledgements, tasks) while the service
 * restarts and an older copy of its data is put back: one recorded run, judged by `test/history/delivery-checker.ts`.
 * The long runs are in `test/fault/deliveries.test.ts`. `SEED=…` repeats a run's random choices.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDelivery, type DeliveryEntry, type DeliveryRule, type DeliveryViolation } from '../history/delivery-checker.js';
import { DeliveryRecorder } from '../history/delivery-clients.js';
import { Recorder } from '../history/recorder.js';
import { InProcessSite } from '../history/sites/single-node.js';
import { Deliveries, PHONES_PER_USER } from '../history/workloads/deliveries.js';
import { seedOf } from '../support/random.js';

describe('a recorded run with restarts and an older copy of the data', () => {
  const recorder = new DeliveryRecorder();
  let found: DeliveryViolation[];

  beforeAll(async () => {
    const folders = await Promise.all(['data', 'copy'].map((name) => mkdtemp(join(tmpdir(), `${name}-`))));
    const [dataDir = '', copy = ''] = folders;
    const site = await InProcessSite.create(new Recorder(), { dataDir, maxConnectionsPerUser: PHONES_PER_USER });
    try {
      const workload: Deliveries = new Deliveries(site, recorder, {
        seed: seedOf('deliveries'),
        faults: [
          () => site.restart(0, () => cp(dataDir, copy, { recursive: true, preserveTimestamps: true })),
          () =>
            site.restart(0, async () => {
              await rm(dataDir, { recursive: true });
              await cp(copy, dataDir, { recursive: true, preserveTimestamps: true });
              workload.restored();
            }),
          () => site.restart(0),
        ],
      });
      found = await workload.run();
    } finally {
      await site.close();
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    }
  });

  it('keeps every rule of the delivery checker', () => {
    expect(found).toEqual([]);
  });

  /** What replaces an entry so that the record breaks a rule; `undefined` where that entry is no place for it. */
  type Plant = (entry: DeliveryEntry) => DeliveryEntry[] | undefined;
  const planted: [DeliveryRule, string, Plant][] = [
    ['no silent gap', 'a message that did not arrive', (entry) => (entry.kind === 'received' ? [] : undefined)],
    ['once and in order', 'a message that arrived twice', (entry) => (entry.kind === 'received' ? [entry, entry] : undefined)],
    [
      'oldest goes first',
      'a connection that was replaced by nothing newer',
      (entry) => (entry.kind === 'connected' ? [entry, { kind: 'closed', connection: entry.connection, code: 4509 }] : undefined),
    ],
    [
      'acknowledged is acknowledged',
      'an acknowledgement that nobody gave',
      (entry) => (entry.kind === 'sent' && !entry.acknowledged ? [{ ...entry, acknowledged: true }] : undefined),
    ],
    [
      'shown until acknowledged',
      'a message that a connection was not shown',
      (entry) => (entry.kind === 'shown' ? [] : undefined),
    ],
    [
      'a cancellation is whole',
      'a prompt that a cancellation left',
      (entry) => (entry.kind === 'state' && entry.state === 'cancelled' ? [{ ...entry, state: 'pending' }] : undefined),
    ],
    [
      'a resumed task asks again',
      'a prompt that was cancelled after its task was resumed',
      (entry) => (entry.kind === 'state' && entry.state === 'pending' ? [{ ...entry, state: 'cancelled' }] : undefined),
    ],
  ];
  it.each(planted)('breaks "%s" once %s is planted in it', (rule, _what, plant) => {
    const { entries } = recorder;
    const isFound = entries.some((_entry, index) => {
      // The newest entries first: an older copy of the data makes those before it worthless for some rules.
      const at = entries.length - 1 - index;
      const replacement = plant(entries[at]!);
      if (!replacement) return false;
      const violations = checkDelivery(entries.toSpliced(at, 1, ...replacement), { limit: PHONES_PER_USER });
      return violations.some((violation) => violation.rule === rule);
    });
    expect(isFound).toBe(true);
  });
});
