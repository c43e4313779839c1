/** The workers of `examples/`, killed again and again while their jobs wait: nobody is asked twice, and every answer counts. */
import { Queue, QueueEvents } from 'bullmq';
import { createClient } from 'redis';
import { setTimeout as delay } from 'node:timers/promises';
import { QUEUE, type DeployData, type DeployResult } from '../../examples/bullmq/queue.js';
import { TestClient, type Frame } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';
import { Random, seedOf } from '../support/random.js';
import { BullmqWorkers, CeleryWorkers, VISIBILITY_SECONDS } from '../support/example-workers.js';

const JOBS = Number(process.env['WORKER_JOBS'] ?? 100);
const ROUNDS = Number(process.env['WORKER_ROUNDS'] ?? 5);

let redis: RedisServer;
let service: ServiceProcess;
let ann: TestClient;
/** What else a test has begun. */
const endings: (() => Promise<unknown>)[] = [];

const connect = async (): Promise<void> => {
  ann = await TestClient.connect(`${service.wsUrl}/ws`);
  await ann.request({ action: 'subscribe', user_id: 'ann' });
};
const framesOf = (type: string, task_id: string): Frame[] =>
  ann.received.filter((frame) => frame.type === type && frame['task_id'] === task_id);
const asks = (taskId: string): Set<unknown> =>
  new Set(framesOf('task_step_result', taskId).map(({ callback_id }) => callback_id));
/** Thinks about each question for up to so long, in which its worker may die. What is refused for now is said again. */
function answerAll(random: Random, upToMs: number): void {
  const answer = async (callback_id: unknown, feedback: unknown): Promise<void> => {
    const reply = await ann.request({ action: 'confirm', callback_id, proceed: true, feedback });
    if (reply['code'] !== 'UNAVAILABLE') return;
    await delay(200);
    return answer(callback_id, feedback);
  };
  ann.socket.on('message', (data: Buffer) => {
    const { type, callback_id, task_id } = JSON.parse(data.toString()) as Frame;
    if (type === 'task_step_result') setTimeout(() => void answer(callback_id, task_id), random.between(0, upToMs));
  });
}

afterEach(async () => {
  for (const end of endings.splice(0)) await end();
  await ann.close();
  await service.stop();
  await redis.stop();
});

requireBinary('redis-server')('BullMQ workers', () => {
  it(`lose no job and ask each question once when they are killed ${ROUNDS} times with ${JOBS} jobs waiting`, async () => {
    const random = new Random(seedOf('bullmq workers'));
    redis = await RedisServer.start();
    service = await startProcess({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url });
    await connect();
    answerAll(random, ROUNDS * 1500);
    const workers = new BullmqWorkers(redis.url);
    endings.push(() => workers.kill());
    const client = createClient({ url: redis.url });
    const queue = new Queue<DeployData, DeployResult>(QUEUE, { connection: client });
    const events = new QueueEvents(QUEUE, { connection: client });
    endings.push(
      () => events.close(),
      () => queue.close(),
      () => client.close(),
    );
    await events.waitUntilReady();
    const names = Array.from({ length: JOBS }, (_, index) => `deploy-${index}`);
    const jobs = await queue.addBulk(
      names.map((taskId) => ({ name: 'deploy', data: { userId: 'ann', taskId, version: '1' }, opts: { jobId: taskId } })),
    );
    const results = Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    for (let round = 0; round <= ROUNDS; round++) {
      const alive = [workers.start(), workers.start()];
      await Promise.race(alive.map((worker) => worker.says('takes jobs')));
      await delay(random.between(200, 1500));
      if (round < ROUNDS) await Promise.all(alive.map((worker) => worker.stop('SIGKILL')));
    }
    expect(await results).toEqual(names.map((taskId) => ({ status: 'released', feedback: taskId })));
    expect(names.filter((taskId) => asks(taskId).size !== 1)).toEqual([]);
    const stalls = await Promise.all(names.map(async (taskId) => (await queue.getJob(taskId))?.stalledCounter ?? 0));
    const effects = await Promise.all(names.map(async (taskId) => (await queue.getJobLogs(taskId)).count));
    console.log(
      `bullmq: ${ROUNDS} kills, ${JOBS} jobs, ${stalls.reduce((sum, one) => sum + one, 0)} taken up again ` +
        `(one of them ${Math.max(...stalls)} times), ${effects.filter((count) => count > 1).length} took effect twice`,
    );
    expect(Math.max(...stalls)).toBeGreaterThan(0);
    expect(Math.min(...effects)).toBe(1);
  }, 600_000);
});

requireBinary('celery')('Celery workers', () => {
  it(`lose no task, ask each question once and outlast a store that is away when they are killed ${ROUNDS} times`, async () => {
    const random = new Random(seedOf('celery workers'));
    const [broker, store] = await Promise.all([RedisServer.start(), RedisServer.start()]);
    endings.push(() => broker.stop());
    redis = store;
    service = await startProcess({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: store.url });
    await connect();
    answerAll(random, ROUNDS * 2500);
    const workers = new CeleryWorkers(broker.url, service);
    endings.unshift(() => workers.kill());
    const versions = Array.from({ length: Math.ceil(JOBS / 5) }, (_, index) => String(index));
    const results = Promise.all(
      versions.map(
        (version) =>
          new Promise<Frame>((resolve) =>
            ann.socket.on('message', (data: Buffer) => {
              const frame = JSON.parse(data.toString()) as Frame;
              if (frame.type === 'task_result' && frame['task_id'] === `deploy-${version}`) resolve(frame);
            }),
          ),
      ),
    );
    let done = false;
    void results.then(() => (done = true));
    await workers.enqueue('ann', ...versions);
    let output = '';
    let kills = 0;
    // Its broker gives back what a dead worker had only when another one starts, or after 100 s.
    for (; !done; kills++) {
      const worker = workers.start({ HOLD: '1' });
      await worker.says('ready.');
      if (kills === 1) {
        store.pause();
        await delay(4000); // longer than it takes the service to say 503
        store.resume();
      }
      await Promise.race([results, delay(kills < ROUNDS ? random.between(500, 2500) : 20_000)]);
      await worker.stop('SIGKILL');
      output += worker.output;
      if (!done) await delay(VISIBILITY_SECONDS * 1000);
    }
    expect(await results).toEqual(
      versions.map((version): unknown => expect.objectContaining({ status: 'released', feedback: `deploy-${version}` })),
    );
    expect(versions.filter((version) => asks(`deploy-${version}`).size !== 1)).toEqual([]);
    expect(output).not.toContain('Unavailable');
    const twice = versions.filter((version) => framesOf('task_result', `deploy-${version}`).length > 1).length;
    console.log(`celery: ${kills} kills, ${versions.length} tasks, ${twice} took effect twice`);
  }, 600_000);
});
