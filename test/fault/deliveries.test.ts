/**
 * Connections above the limit, messages, acknowledgements and tasks while nodes and stores fail: recorded runs, judged by
 * `test/history/delivery-checker.ts`. `DELIVERY_FAULTS` says how many faults each run has; `SEED` repeats its choices.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DeliveryRecorder } from '../history/delivery-clients.js';
import { Recorder } from '../history/recorder.js';
import { RedisSite } from '../history/sites/nodes-on-redis.js';
import { ProcessSite, type Site } from '../history/sites/single-node.js';
import { Deliveries, PHONES_PER_USER } from '../history/workloads/deliveries.js';
import { Random, seedOf } from '../support/random.js';
import { requireBinary } from '../support/system.js';

const FAULTS = Number(process.env['DELIVERY_FAULTS'] ?? 12);
const LIMIT_MS = 120_000 + FAULTS * 20_000;
const environment = { WEBSOCKET_MAX_CONNECTIONS_PER_USER: String(PHONES_PER_USER) };

/** Runs the workload while the faults happen, one after the other, and judges the record. */
async function judge(
  what: string,
  site: Site,
  faultOf: (index: number, random: Random, workload: Deliveries) => Promise<void>,
): Promise<void> {
  const recorder = new DeliveryRecorder();
  const seed = seedOf(what);
  const random = Random.of(seed, 9);
  const faults = Array.from({ length: FAULTS }, (_, index) => () => faultOf(index, random, workload));
  const workload: Deliveries = new Deliveries(site, recorder, { seed, faults });
  try {
    const violations = await workload.run();
    const count = (kind: string): number => recorder.entries.filter((entry) => entry.kind === kind).length;
    const kinds = ['publish', 'received', 'recovered', 'connected', 'sent', 'shown', 'ack', 'open', 'cancel', 'failed'];
    console.log(`${what}: ${FAULTS} faults, ${JSON.stringify(Object.fromEntries(kinds.map((kind) => [kind, count(kind)])))}`);
    expect(violations).toEqual([]);
  } finally {
    await site.close();
  }
}

requireBinary('redis-server')('three nodes on one Redis', () => {
  it(
    'keep every rule while their pub/sub connections are killed',
    async () => {
      const site = await RedisSite.create(new Recorder(), { environment });
      await judge('pub/sub killed', site, async (_index, random) => {
        for (let time = 0; time < 5; time += 1) {
          await site.killPubSub();
          await pause(random.between(0, 150));
        }
      });
    },
    LIMIT_MS,
  );

  it(
    'keep every rule while Redis is killed or stands still',
    async () => {
      const site = await RedisSite.create(new Recorder(), { environment });
      await judge('Redis away', site, (index, random) =>
        site.withoutRedis(index % 3 === 2 ? 'frozen' : 'killed', () => pause(random.between(0, 300))),
      );
    },
    LIMIT_MS,
  );

  it(
    'keep every rule while nodes are killed',
    async () => {
      const site = await RedisSite.create(new Recorder(), { environment });
      await judge('nodes killed', site, (_index, random) => site.restart(random.between(0, 300)));
    },
    LIMIT_MS,
  );
});

describe('one node on its own disk', () => {
  it(
    'keeps every rule while it is killed, and while older copies of its data are put back',
    async () => {
      const folders = await Promise.all(['data', 'copy'].map((name) => mkdtemp(join(tmpdir(), `${name}-`))));
      const [dataDir = '', copy = ''] = folders;
      const replace = async (from: string, to: string): Promise<void> => {
        await rm(to, { recursive: true });
        await cp(from, to, { recursive: true, preserveTimestamps: true });
      };
      const site = await ProcessSite.create(new Recorder(), { ...environment, WEBSOCKET_DATA_DIR: dataDir });
      try {
        await judge('killed and restored', site, (index, random, workload) =>
          site.restart(random.between(0, 100), async () => {
            if (index % 4 === 1) await replace(dataDir, copy);
            if (index % 4 !== 3) return;
            await replace(copy, dataDir);
            workload.restored();
          }),
        );
      } finally {
        for (const folder of folders) await rm(folder, { recursive: true, force: true });
      }
    },
    LIMIT_MS,
  );
});
