/** The service with many pending questions: creates, answers and expires some beside them. */
import { readConfig } from '../../dist/app/app.config.js';
import { startApp } from '../../dist/app/app.js';
import { NotificationService } from '../../dist/notification/index.js';
import { compete } from '../harness/contest.mjs';

const IN_FLIGHT = 256;
const USERS = 10_000;
const WEEK_MS = 7 * 86_400_000;
/** Long enough for all of a sample to be created first. */
const EXPIRY_MS = 5000;
const stepResult = { step: 'deploy', message: 'Deploy build 4711 to production?', status: 'waiting', completed: false };

const app = await startApp(readConfig(process.env));
const service = app.get(NotificationService);
let asked = 0;
let timedOut = 0;
service.decisions$.subscribe(({ outcome }) => (timedOut += Number(outcome === 'timed_out')));

/** @returns the processor time of all threads so far, in microseconds */
function spent() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Runs `count` calls, of which a bounded number is in flight. @returns microseconds of processor time per call */
async function timed(count, call) {
  let next = 0;
  const before = spent();
  const lane = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (spent() - before) / count;
}

async function open(timeoutMs = WEEK_MS) {
  asked += 1;
  const request = { stepResult, userId: `user-${asked % USERS}`, taskId: `task-${asked}`, step: 1, timeoutMs };
  return (await service.openConfirmation(request)).confirmation;
}

compete({
  create: ({ count }) => timed(count, () => open()),
  /** @returns the same for each of `count` that are created and then answered, and for each that expires */
  async sample({ count }) {
    const opened = [];
    const create = await timed(count, async () => opened.push(await open()));
    const answer = await timed(count, (n) => {
      const { callbackId, userId } = opened[n];
      return service.answer(callbackId, { userId }, { proceed: true });
    });
    const goal = timedOut + count;
    await timed(count, () => open(EXPIRY_MS));
    const before = spent();
    while (timedOut < goal) await new Promise((resolve) => setTimeout(resolve, 5));
    const expire = (spent() - before) / count;
    return { create, answer, expire };
  },
});
