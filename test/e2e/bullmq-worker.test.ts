/** `examples/bullmq` as it is: the service, its workers and their Redis in processes of their own, a user who answers. */
import { Queue, QueueEvents, type Job } from 'bullmq';
import { createClient } from 'redis';
import { QUEUE, type DeployData, type DeployResult } from '../../examples/bullmq/queue.js';
import { TestClient } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import type { Program } from '../support/child-program.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';
import { BullmqWorkers } from '../support/example-workers.js';

/** Each test starts processes; that takes a second, or twenty on a machine that is busy with something else. */
const PATIENCE_MS = 60_000;

requireBinary('redis-server')('a BullMQ worker whose jobs ask a user', () => {
  let redis: RedisServer;
  let service: ServiceProcess;
  let client: ReturnType<typeof createClient>;
  let queue: Queue<DeployData, DeployResult>;
  let events: QueueEvents;
  let ann: TestClient;
  let worker: Program;
  let workers: BullmqWorkers;

  const enqueue = (taskId: string, more: Partial<DeployData> = {}): Promise<Job<DeployData, DeployResult>> =>
    queue.add('deploy', { userId: 'ann', taskId, version: '1.4.0', ...more }, { jobId: taskId, attempts: 3 });
  /** What the job returned. */
  const finished = (job: Job<DeployData, DeployResult>): Promise<DeployResult> => job.waitUntilFinished(events, PATIENCE_MS);
  const asked = async (taskId: string): Promise<string> => {
    const prompt = await ann.next({ type: 'task_step_result', task_id: taskId });
    return String(prompt['callback_id']);
  };
  const confirm = async (callback_id: string, proceed: boolean, feedback?: string): Promise<void> => {
    const reply = await ann.request({ action: 'confirm', callback_id, proceed, feedback });
    expect(reply.type).toBe('confirmation_accepted');
  };
  const questions = (taskId: string): number =>
    ann.received.filter(({ type, task_id }) => type === 'task_step_result' && task_id === taskId).length;

  beforeAll(async () => {
    redis = await RedisServer.start();
    workers = new BullmqWorkers(redis.url);
    worker = workers.start();
    service = await startProcess({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url });
    client = createClient({ url: redis.url });
    queue = new Queue(QUEUE, { connection: client });
    events = new QueueEvents(QUEUE, { connection: client });
    await events.waitUntilReady();
    ann = await TestClient.connect(`${service.wsUrl}/ws`);
    await ann.request({ action: 'subscribe', user_id: 'ann' });
    await worker.says('takes jobs');
  }, PATIENCE_MS);
  afterAll(async () => {
    await workers.kill();
    await ann.close();
    await events.close();
    await queue.close();
    await client.close();
    await service.stop();
    await redis.stop();
  }, PATIENCE_MS);

  it(
    'reports its progress, sends heartbeats, asks, and is done with the answer',
    async () => {
      expect(await workers.enqueue('ann', '1.3.0')).toBe('queued deploy-1.3.0\n');
      await ann.next({ type: 'heartbeat', task_id: 'deploy-1.3.0' });
      await ann.next({ type: 'task_progress', task_id: 'deploy-1.3.0' });
      await confirm(await asked('deploy-1.3.0'), true, 'at last');
      const job = (await queue.getJob('deploy-1.3.0')) as Job<DeployData, DeployResult>;
      expect(await finished(job)).toEqual({ status: 'released', feedback: 'at last' });
    },
    PATIENCE_MS,
  );

  it(
    'is done with a no and with a cancellation, and fails for good when nobody answers',
    async () => {
      const [declined, cancelled, building, late] = [
        await enqueue('declined'),
        await enqueue('cancelled'),
        await enqueue('building', { stageMs: 60_000 }),
        await enqueue('late', { timeoutMs: 300 }),
      ];
      await ann.next({ type: 'task_progress', task_id: 'building' });
      await ann.request({ action: 'cancel', user_id: 'ann', task_id: 'building' });
      await asked('cancelled');
      await ann.request({ action: 'cancel', user_id: 'ann', task_id: 'cancelled' });
      await confirm(await asked('declined'), false, 'not on a Friday');
      expect(await finished(declined)).toEqual({ status: 'declined', feedback: 'not on a Friday' });
      expect(await finished(cancelled)).toEqual({ status: 'cancelled' });
      expect(await finished(building)).toEqual({ status: 'cancelled' });
      await expect(finished(late)).rejects.toThrow('timed out');
      // It had three attempts, and a second one would only have found the same time-out.
      expect((await queue.getJob('late'))?.attemptsMade).toBe(1);
    },
    PATIENCE_MS,
  );

  it(
    'is killed, and another finds the confirmation and the answer that was given while none ran',
    async () => {
      const [meanwhile, afterwards] = [await enqueue('meanwhile'), await enqueue('afterwards')];
      const [first, second] = [await asked('meanwhile'), await asked('afterwards')];
      for (const task_id of ['meanwhile', 'afterwards']) await ann.next({ type: 'heartbeat', task_id });
      expect(await worker.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
      await confirm(first, true, 'nobody listens');
      worker = workers.start();
      expect(await finished(meanwhile)).toEqual({ status: 'released', feedback: 'nobody listens' });
      await ann.next({ type: 'heartbeat', task_id: 'afterwards' });
      await confirm(second, true);
      expect(await finished(afterwards)).toMatchObject({ status: 'released' });
      expect([questions('meanwhile'), questions('afterwards')]).toEqual([1, 1]);
    },
    PATIENCE_MS,
  );

  it(
    'stops on a signal, and hands back unchanged a job that waits and, once it is built, one that builds',
    async () => {
      const [waiting, building] = [await enqueue('waiting'), await enqueue('half-built', { stageMs: 1000 })];
      const callbackId = await asked('waiting');
      for (const task_id of ['waiting', 'half-built']) await ann.next({ type: 'heartbeat', task_id });
      const { signal } = await worker.stop();
      expect(signal).toBe('SIGTERM'); // Nest ends by the signal, once its hooks have run
      for (const jobId of ['waiting', 'half-built']) {
        const job = (await queue.getJob(jobId)) as Job<DeployData, DeployResult>;
        expect([await job.getState(), job.attemptsMade, job.data.artifact]).toEqual(['waiting', 0, 'app-1.4.0.tar.gz']);
      }
      worker = workers.start();
      await confirm(callbackId, true);
      expect(await finished(waiting)).toMatchObject({ status: 'released' });
      await confirm(await asked('half-built'), true);
      expect(await finished(building)).toMatchObject({ status: 'released' });
      expect(questions('waiting')).toBe(1);
    },
    PATIENCE_MS,
  );
});
