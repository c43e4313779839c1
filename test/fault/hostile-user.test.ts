/**
 * A user with a valid token who sends anything for as long as it is let, against a node with a heap of 512 MiB: other users'
 * round trips stay below 100 ms at p99, memory below a bound, nothing ends, and nothing but the protocol's errors is answered.
 *
 * `HOSTILE_SECONDS` says for how long (default 20, full 300), `SEED` repeats a run.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { percentile } from '../support/bad-network-workload.js';
import type { HostileOptions, HostileReport } from '../support/hostile-user.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { HealthyClients } from '../support/healthy-clients.js';
import { seedOf } from '../support/random.js';

const SECONDS = Number(process.env['HOSTILE_SECONDS'] ?? 20);
const HEAP_MIB = 512;
/** The whole process: heap, buffers, SQLite, code. */
const MEMORY_MIB = 700;
const P99_MS = Number(process.env['HOSTILE_P99_MS'] ?? 100);
const KEY = 'the-key-of-a-service-that-asks';
const PROGRAM = fileURLToPath(new URL('../support/hostile-user.js', import.meta.url));

let node: ServiceProcess;
let log = '';
beforeAll(async () => {
  node = await startProcess({
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`,
    ...JWT_SETTINGS,
    WEBSOCKET_API_KEYS: KEY,
  });
  for (const stream of [node.child.stdout, node.child.stderr]) stream?.on('data', (data: Buffer) => (log += data.toString()));
});
afterAll(() => node.stop('SIGKILL'));

const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
  const response = await fetch(node.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Record<string, unknown>;
};
/** Of the whole process, at its highest. */
const peakMiB = (): number => {
  const status = readFileSync(`/proc/${node.child.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
};

it(
  'keeps serving everybody else within 100 ms, within its memory, and answers only what the protocol names',
  async () => {
    const seed = seedOf('hostile user');
    const token = await tokenOf('mallory', { lives: 3600 });
    const callbackIds: string[] = [];
    for (let step = 1; step <= 300; step += 1) {
      const { callback_id } = await post('/ws/confirmations', {
        user_id: 'mallory',
        task_id: 'mallory-task',
        step,
        timeout: null,
        step_result: { message: 'Go on?', result: { text: 'x'.repeat(4000) } },
        input_schema: {
          type: 'object',
          properties: {
            name: { type: 'string', pattern: '^(a+)+$', maxLength: 1000 },
            list: { type: 'array', items: { enum: ['a', 'b', 'c'] }, uniqueItems: true },
          },
        },
      });
      callbackIds.push(String(callback_id));
    }
    const tokens = await Promise.all(Array.from({ length: 5 }, (_, index) => tokenOf(`healthy-${index}`, { lives: 3600 })));
    const healthy = await HealthyClients.start(node.wsUrl, tokens.length, tokens);
    const options: HostileOptions = { port: node.port, token, userId: 'mallory', seconds: SECONDS, seed, callbackIds };
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const stuck = setTimeout(() => child.kill('SIGKILL'), (SECONDS + 30) * 1000);
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    clearTimeout(stuck);
    const report = JSON.parse(output) as HostileReport;
    const { times, lost } = await healthy.report();
    await healthy.stop();
    const p99 = percentile(times, 0.99);
    const peak = peakMiB();
    console.log(JSON.stringify({ seconds: SECONDS, p99, samples: times.length, peakMiB: peak, logBytes: log.length, ...report }));

    expect(node.child.exitCode).toBeNull();
    expect(report.unexpected).toEqual([]);
    expect(report.frames).toBeGreaterThan(1000);
    expect(lost).toBe(0);
    expect(peak).toBeLessThan(MEMORY_MIB);
    expect(log.length).toBeLessThan(200_000 + SECONDS * 2000);
    expect(p99).toBeLessThanOrEqual(P99_MS);
  },
  (SECONDS + 120) * 1000,
);
