/** Clients that do not read: memory stays bounded, their connections are closed, and other clients are not slowed down. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient } from '../support/client.js';
import { percentile } from '../support/bad-network-workload.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { maskedFrame, OPCODE, RawClient } from '../support/raw-client.js';
import { HealthyClients } from '../support/healthy-clients.js';

const DEAF = Number(process.env['DEAF_CLIENTS'] ?? 200);
const HEALTHY = 10;
const P99_FLOOR_MS = Number(process.env['SLOW_P99_FLOOR_MS'] ?? 20);
const OUTBOX = 65_536;
const MEGABYTE = 1024 * 1024;
/** What each is sent in ten seconds. */
const EACH = 16 * MEGABYTE;
const CHUNK = 64_000;
const SECONDS = 10;

let folder: string;
let node: ServiceProcess;
const raws: RawClient[] = [];
let healthy: HealthyClients;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slow-'));
  node = await startProcess({
    WEBSOCKET_DATA_DIR: folder,
    WEBSOCKET_MAX_OUTBOX: String(OUTBOX),
    WEBSOCKET_HISTORY_SIZE: '10',
    WEBSOCKET_LOG_LEVEL: 'info',
  });
});
afterEach(async () => {
  await healthy.stop();
  for (const raw of raws.splice(0)) if (!raw.isClosed) await raw.reset();
  await node.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Resident memory of the server, in bytes. */
const resident = (): number => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.child.pid}/status`, 'utf8'))?.[1]);

async function post(path: string, body: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(node.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function connectRaw(user: string): Promise<RawClient> {
  const raw = await RawClient.connect({ port: node.port });
  raws.push(raw);
  raw.send({ action: 'subscribe', task_id: 'flood' });
  raw.send({ action: 'subscribe', user_id: user, request_id: 'last' });
  await raw.next(({ request_id }) => request_id === 'last');
  return raw;
}

it('keeps memory within the limits while hundreds do not read, ping without reading, or read a trickle', async () => {
  healthy = await HealthyClients.start(node.wsUrl, HEALTHY);
  const deaf = await Promise.all(Array.from({ length: DEAF }, (_, index) => connectRaw(`deaf-${index}`)));
  const pinging = await Promise.all(Array.from({ length: 20 }, (_, index) => connectRaw(`pinging-${index}`)));
  const trickling = await Promise.all(Array.from({ length: 20 }, (_, index) => connectRaw(`trickling-${index}`)));
  for (const raw of [...deaf, ...pinging, ...trickling]) {
    raw.pause();
    raw.keep = false;
  }
  // Warm: the same volume to one that reads, so that what follows is compared with a server that has worked.
  const warm = await connectRaw('warm');
  warm.keep = false;
  for (let n = 0; n < 200; n += 1) await post('/ws/users/warm/messages', { type: 'blob', n, pad: 'x'.repeat(CHUNK) });
  await healthy.report();
  await delay(4000);
  const base = percentile((await healthy.report()).times, 0.99);
  const before = resident();

  let peak = before;
  const watching = setInterval(() => (peak = Math.max(peak, resident())), 50);
  const callbacks: string[] = [];
  for (let index = 0; index < DEAF; index += 1) {
    const { body } = await post('/ws/confirmations', {
      user_id: `deaf-${index}`,
      task_id: `task-${index}`,
      step: 1,
      step_result: { message: 'Go on?' },
    });
    callbacks.push(String(body['callback_id']));
  }
  let going = true;
  const floods = pinging.map(async (raw) => {
    const flood = Buffer.concat(Array.from({ length: 20 }, () => maskedFrame(OPCODE.ping, 'p'.repeat(125))));
    while (going && !raw.isClosed) {
      raw.write(flood);
      await delay(20);
    }
  });
  const trickles = trickling.map(async (raw) => {
    while (going && !raw.isClosed) {
      raw.socket.read(512);
      await delay(500);
    }
  });
  const rounds = Math.ceil(EACH / CHUNK);
  const start = performance.now();
  const pad = 'x'.repeat(CHUNK);
  for (let n = 1; n <= rounds; n += 1) {
    // Everybody who is not healthy has a task in common: one request reaches them all.
    const { status } = await post('/ws/tasks/flood/messages', { type: 'blob', n, pad });
    expect(status).toBe(202);
    const early = start + (n * SECONDS * 1000) / rounds - performance.now();
    if (early > 0) await delay(early);
  }
  const took = performance.now() - start;
  const { times, lost } = await healthy.report();
  going = false;
  await Promise.all([...floods, ...trickles]);
  clearInterval(watching);
  const under = percentile(times, 0.99);
  const limits = (DEAF + 40) * OUTBOX;
  const { active_connections: left } = (await (await fetch(`${node.url}/ws/status`)).json()) as { active_connections: number };
  console.log(
    JSON.stringify({
      deaf: DEAF,
      tookMs: Math.round(took),
      rssBeforeMB: Math.round(before / MEGABYTE),
      rssPeakMB: Math.round(peak / MEGABYTE),
      limitsMB: Math.round(limits / MEGABYTE),
      healthyP99BaseMs: base,
      healthyP99UnderMs: under,
      connectionsLeft: left,
    }),
  );
  expect(peak - before).toBeLessThan(limits + 50 * MEGABYTE);
  // Those who behave are left, and no others.
  expect(left).toBeLessThanOrEqual(HEALTHY + 1);
  expect(lost).toBe(0);
  // Who comes back is shown the prompt.
  for (const [index, callback] of callbacks.entries()) {
    const client = await TestClient.connect(`${node.wsUrl}/ws`);
    const reply = await client.request({ action: 'subscribe', user_id: `deaf-${index}` });
    expect(reply['pending']).toEqual([callback]);
    await client.next({ type: 'task_step_result', callback_id: callback });
    client.socket.terminate();
  }
  // Below the floor it is the machine's other work that is measured.
  expect(under).toBeLessThanOrEqual(Math.max(2 * base, P99_FLOOR_MS));
}, 180_000);
