/** Many users of the client library on bad networks: nothing is lost, nothing comes twice, everything comes in order. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runFlaky, type FlakyPlan, type FlakyResult } from '../support/bad-network-workload.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { freePort } from '../support/free-port.js';

const CLIENTS = Number(process.env['FLAKY_CLIENTS'] ?? 200);
const MESSAGES = Number(process.env['FLAKY_MESSAGES'] ?? 120);

let folder: string;
let node: ServiceProcess;
let environment: Record<string, string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flaky-'));
  environment = { WEBSOCKET_DATA_DIR: folder, WEBSOCKET_PORT: String(await freePort()), WEBSOCKET_LOG_LEVEL: 'info' };
  node = await startProcess(environment);
});
afterEach(async () => {
  await node.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const plan = (): FlakyPlan => ({
  port: () => node.port,
  clients: CLIENTS,
  messages: MESSAGES,
  everyMs: 500,
  cutAfterMs: [15_000, 20_000],
  cutForMs: 2000,
});

const report = (what: string, result: FlakyResult): void => console.log(`${what}: ${JSON.stringify(result)}`);

it('loses nothing, repeats nothing and keeps the order for users whose connections break all the time', async () => {
  const result = await runFlaky(plan());
  report(`${CLIENTS} flaky clients`, result);
  expect(result).toMatchObject({ lost: 0, duplicates: 0, outOfOrder: 0, gaps: 0, errors: 0 });
  expect(result.connects).toBeGreaterThan(CLIENTS);
  expect(result.p99).toBeLessThanOrEqual(3000);
}, 240_000);

it('loses nothing when the server is killed on the way, twice, and started again', async () => {
  const killing = (async () => {
    for (let round = 1; round <= 2; round += 1) {
      await delay((MESSAGES * 500) / 3);
      await node.stop('SIGKILL');
      node = await startProcess(environment);
    }
  })();
  const result = await runFlaky(plan(), killing);
  report(`${CLIENTS} flaky clients, two kill -9`, result);
  expect(result).toMatchObject({ lost: 0, outOfOrder: 0, gaps: 0 });
}, 300_000);
