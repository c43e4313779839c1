/**
 * What one process pays for pending prompts: memory for each, and the cost of creating, answering and expiring one as
 * their number grows to a million; then the start with all of them. Prints a Markdown table.
 *
 *   npm run build && node bench/million.mjs [most prompts, 1000000] [folder for the data, a temporary one]
 */
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const { EmbeddedEngine } = await import('../dist/notification/engine/embedded/embedded-engine.js');

const SAMPLE = 2000;
const IN_FLIGHT = 256;
const USERS = 10_000;
const settings = { retentionMs: 86_400_000, historySize: 1000, historyTtlMs: 300_000, maxConnectionsPerUser: 20 };

let decided = 0;
let wake = () => undefined;
const handler = {
  onOpened: () => undefined,
  onDecided: () => ((decided += 1), wake()),
  onExpiring: () => undefined,
  onTask: () => undefined,
  onPublication: () => 0,
  onAcknowledgedMessage: () => 0,
  onAcknowledged: () => undefined,
  onEvicted: () => undefined,
  onGap: () => undefined,
};

let created = 0;
const question = (timeoutMs = 7 * 86_400_000) => ({
  callbackId: randomUUID(),
  userId: `user-${created % USERS}`,
  taskId: `task-${(created += 1)}`,
  step: 1,
  prompt: { stepResult: { step: 'deploy', message: 'Deploy build 4711 to production?', status: 'waiting', completed: false } },
  timeoutMs,
  onTimeout: 'abort',
  onTimeoutBy: 'caller',
});

/** Runs `count` calls, so many in flight. @returns microseconds per call */
async function timed(count, call) {
  let next = 0;
  const begun = performance.now();
  const lane = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return ((performance.now() - begun) * 1000) / count;
}

/** Time from the moment they are due until the last of `count` is told, per prompt. */
async function expiry(engine, count) {
  const target = decided + count;
  const requests = Array.from({ length: count }, () => question(3000));
  await timed(count, (index) => engine.confirmations.open(requests[index]));
  const { confirmation } = await engine.confirmations.open(question(2000));
  while (Date.now() < confirmation.expiresAt) await sleep(1);
  while (decided < target + 1) await new Promise((resolve) => (wake = resolve));
  const latest = (await engine.confirmations.get(requests.at(-1).callbackId)).decision;
  const first = (await engine.confirmations.get(requests[0].callbackId)).decision;
  return { perPrompt: ((latest.decidedAt - first.decidedAt) * 1000) / count };
}

async function latency(call, count = 100) {
  const times = [];
  for (let index = 0; index < count; index += 1) {
    const begun = performance.now();
    await call(index);
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[count / 2];
}

const memory = () => {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
};
const mebibytes = (bytes) => (bytes / 1024 / 1024).toFixed(1);

async function measure(engine, pending, base) {
  const { rss, heapUsed } = memory();
  const opened = Array.from({ length: SAMPLE }, () => question());
  const create = await timed(SAMPLE, (index) => engine.confirmations.open(opened[index]));
  const decide = ({ callbackId, userId }) =>
    engine.confirmations.decide({ callbackId, scope: [userId], answeredBy: userId, answer: { proceed: true } });
  const answer = await timed(SAMPLE, (index) => decide(opened[index]));
  const alone = Array.from({ length: 100 }, () => question());
  const createAlone = await latency((index) => engine.confirmations.open(alone[index]));
  const answerAlone = await latency((index) => decide(alone[index]));
  const { perPrompt } = await expiry(engine, SAMPLE);
  const row = [
    pending.toLocaleString('en'),
    `${create.toFixed(0)} µs`,
    `${answer.toFixed(0)} µs`,
    `${perPrompt.toFixed(0)} µs`,
    `${createAlone.toFixed(1)} ms`,
    `${answerAlone.toFixed(1)} ms`,
    mebibytes(rss),
    `${((rss - base.rss) / pending).toFixed(0)} B`,
    mebibytes(heapUsed),
  ];
  console.log(`| ${row.join(' | ')} |`);
}

async function main(most, dataDir) {
  const engine = new EmbeddedEngine({ dataDir, settings, logger: console });
  await engine.start(handler);
  await engine.replayDecisions();
  await timed(500, () => engine.ping());
  const base = memory();
  console.log('| pending | create | answer | expire | create, alone | answer, alone | RSS, MiB | RSS per prompt | heap, MiB |');
  console.log('|--:|--:|--:|--:|--:|--:|--:|--:|--:|');
  for (let pending = 1000; pending <= most; pending *= 10) {
    const have = (await engine.counts()).pendingConfirmations;
    await timed(pending - have, () => engine.confirmations.open(question()));
    await measure(engine, pending, base);
  }
  await engine.close();
}

/** In a process of its own, as after a restart. */
async function startOnly(dataDir) {
  const engine = new EmbeddedEngine({ dataDir, settings, logger: console });
  const begun = performance.now();
  await engine.start(handler);
  const ms = performance.now() - begun;
  const { pendingConfirmations } = await engine.counts();
  const { size } = await stat(join(dataDir, 'notifications.db'));
  console.log(
    `\nStart with ${pendingConfirmations.toLocaleString('en')} pending (${mebibytes(size)} MiB on disk): ${ms.toFixed(0)} ms, RSS ${mebibytes(memory().rss)} MiB`,
  );
  await engine.close();
}

if (process.argv[2] === 'start') await startOnly(process.argv[3]);
else {
  const dataDir = process.argv[3] ?? (await mkdtemp(join(tmpdir(), 'million-')));
  try {
    await main(Number(process.argv[2] ?? 1_000_000), dataDir);
    await once(spawn(process.execPath, [fileURLToPath(import.meta.url), 'start', dataDir], { stdio: 'inherit' }), 'exit');
  } finally {
    if (process.argv[3] === undefined) await rm(dataDir, { recursive: true, force: true });
  }
}
