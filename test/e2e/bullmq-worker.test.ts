/** `examples/bullmq` as it is: the service, its workers and their Redis in processes of their own, a user who answers. */
import { fileURLToPath } from 'node:url';
import { Queue, QueueEvents, type Job } from 'bullmq';
import { createClient } from 'redis';
import { QUEUE, type DeployData, type DeployResult } from '../../examples/bullmq/queue.js';
import { TestClient } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { Program } from '../support/program.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/bullmq/', import.meta.url));

requireBinary('redis-server')('a BullMQ worker whose jobs ask a user', () => {
  let redis: RedisServer;
  let service: ServiceProcess;
  let client: ReturnType<typeof createClient>;
  let queue: Queue<DeployData, DeployResult>;
  let events: QueueEvents;
  let ann: TestClient;
  let worker: Program;
  const workers: Program[] = [];

  const environment = (): Record<string, string> => ({
    PATH: process.env.PATH ?? '',
    REDIS_URL: redis.url,
    STAGE_MS: '20',
    LOCK_DURATION_MS: '1000',
    STALLED_INTERVAL_MS: '300',
  });
  const startWorker = (): Program => {
    const started = Program.start(process.execPath, [`${EXAMPLE}main.js`], environment());
    workers.push(started);
    return started;
  };
  const enqueue = (taskId: string, more: Partial<DeployData> = {}): Promise<Job<DeployData, DeployResult>> =>
    queue.add('deploy', { userId: 'ann', taskId, version: '1.4.0', ...more }, { jobId: taskId, attempts: 3 });
  /** What the job returned. */
  const finished = (job: Job<DeployData, DeployResult>): Promise<DeployResult> => job.waitUntilFinished(events, 15_000);
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
    worker = startWorker();
    service = await startProcess({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url });
    client = createClient({ url: redis.url });
    queue = new Queue(QUEUE, { connection: client });
    events = new QueueEvents(QUEUE, { connection: client });
    await events.waitUntilReady();
    ann = await TestClient.connect(`${service.wsUrl}/ws`);
    await ann.request({ action: 'subscribe', user_id: 'ann' });
  });
  afterAll(async () => {
    await Promise.all(workers.map((one) => one.stop('SIGKILL')));
    await ann.close();
    await events.close();
    await queue.close();
    await client.close();
    await service.stop();
    await redis.stop();
  });

  it('reports its progress, beats, asks, and is done with the answer', async () => {
    const output = await Program.run(process.execPath, [`${EXAMPLE}enqueue.js`, 'ann', '1.3.0'], environment());
    expect(output).toBe('queued deploy-1.3.0\n');
    await ann.next({ type: 'heartbeat', task_id: 'deploy-1.3.0' });
    await ann.next({ type: 'task_progress', task_id: 'deploy-1.3.0' });
    await confirm(await asked('deploy-1.3.0'), true, 'at last');
    const job = (await queue.getJob('deploy-1.3.0')) as Job<DeployData, DeployResult>;
    expect(await finished(job)).toEqual({ status: 'released', feedback: 'at last' });
  });

  it('is done with a no and with a cancellation, and fails for good when nobody answers', async () => {
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
  });

  it('is killed, and another takes up the question and the answer that was given while none lived', async () => {
    const [meanwhile, afterwards] = [await enqueue('meanwhile'), await enqueue('afterwards')];
    const [first, second] = [await asked('meanwhile'), await asked('afterwards')];
    for (const task_id of ['meanwhile', 'afterwards']) await ann.next({ type: 'heartbeat', task_id });
    expect(await worker.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    await confirm(first, true, 'nobody listens');
    worker = startWorker();
    expect(await finished(meanwhile)).toEqual({ status: 'released', feedback: 'nobody listens' });
    await ann.next({ type: 'heartbeat', task_id: 'afterwards' });
    await confirm(second, true);
    expect(await finished(afterwards)).toMatchObject({ status: 'released' });
    expect([questions('meanwhile'), questions('afterwards')]).toEqual([1, 1]);
  });

  it('is told to stop, and hands back as they were a job that waits and, once it is built, one that builds', async () => {
    const [waiting, building] = [await enqueue('waiting'), await enqueue('half-built', { stageMs: 100 })];
    const callbackId = await asked('waiting');
    for (const task_id of ['waiting', 'half-built']) await ann.next({ type: 'heartbeat', task_id });
    const next = startWorker();
    const { signal } = await worker.stop();
    expect(signal).toBe('SIGTERM'); // Nest ends by the signal, once its hooks have run
    for (const task_id of ['waiting', 'half-built']) await ann.next({ type: 'heartbeat', task_id });
    for (const jobId of ['waiting', 'half-built'])
      expect(await queue.getJob(jobId)).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
    await confirm(callbackId, true);
    await confirm(await asked('half-built'), true);
    expect(await finished(waiting)).toMatchObject({ status: 'released' });
    expect(await finished(building)).toMatchObject({ status: 'released' });
    expect(questions('waiting')).toBe(1);
    await next.stop();
  });
});
