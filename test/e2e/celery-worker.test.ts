/** `examples/celery` as it is: a Celery worker in Python, its broker and the service in processes of their own, a user who answers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient, type Frame } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import type { Program } from '../support/child-program.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';
import { CeleryWorkers, VISIBILITY_SECONDS } from '../support/example-workers.js';

const API_KEY = 'a key of sixteen or more';

/** Each test starts processes; that takes a second, or twenty on a machine that is busy with something else. */
const PATIENCE_MS = 60_000;

const describeWithCelery = requireBinary('celery');
requireBinary('redis-server');

describeWithCelery('a Celery worker whose tasks ask a user', () => {
  let redis: RedisServer;
  let service: ServiceProcess;
  let dataDir: string;
  let ann: TestClient;
  let worker: Program;
  let workers: CeleryWorkers;

  const startOnFolder = (port = 0): Promise<ServiceProcess> =>
    startProcess({ WEBSOCKET_PORT: String(port), WEBSOCKET_DATA_DIR: dataDir, WEBSOCKET_API_KEYS: API_KEY });
  const connect = async (): Promise<void> => {
    ann = await TestClient.connect(`${service.wsUrl}/ws`);
    await ann.request({ action: 'subscribe', user_id: 'ann' });
  };
  const asked = (version: string): Promise<Frame> => ann.next({ type: 'task_step_result', task_id: `deploy-${version}` });
  const confirm = async ({ callback_id }: Frame, proceed: boolean, feedback?: string): Promise<void> => {
    expect(await ann.request({ action: 'confirm', callback_id, proceed, feedback })).toMatchObject({
      type: 'confirmation_accepted',
    });
  };
  const result = (version: string): Promise<Frame> => ann.next({ type: 'task_result', task_id: `deploy-${version}` });
  const questions = (version: string): number =>
    ann.received.filter(({ type, task_id }) => type === 'task_step_result' && task_id === `deploy-${version}`).length;
  /** There is no event for what stands in the broker. */
  const untilBroker = async (command: () => string[], shows: string): Promise<void> => {
    while (!(await redis.command(...command())).includes(shows)) await delay(50);
  };

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'celery-'));
    [redis, service] = await Promise.all([RedisServer.start(), startOnFolder()]);
    workers = new CeleryWorkers(redis.url, { url: service.url, apiKey: API_KEY });
    worker = workers.start();
    await connect();
    await worker.says('ready.');
  }, PATIENCE_MS);
  afterAll(async () => {
    await workers.kill();
    await ann.close();
    await service.stop();
    await redis.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, PATIENCE_MS);

  it(
    'report their progress, send heartbeats, ask, stop when they are cancelled, and end with the answer',
    async () => {
      await workers.enqueue('ann', 'released', 'declined', 'cancelled');
      for (const task_id of ['deploy-released', 'deploy-declined', 'deploy-cancelled']) {
        await ann.next({ type: 'heartbeat', task_id });
        await ann.next({ type: 'task_progress', task_id });
      }
      await confirm(await asked('released'), true, 'at last');
      await confirm(await asked('declined'), false, 'not on a Friday');
      await asked('cancelled');
      await ann.request({ action: 'cancel', user_id: 'ann', task_id: 'deploy-cancelled' });
      expect(await result('released')).toMatchObject({ status: 'released', feedback: 'at last' });
      expect(await result('declined')).toMatchObject({ status: 'declined', feedback: 'not on a Friday' });
      expect(await result('cancelled')).toMatchObject({ status: 'cancelled' });
      // A task that comes again after that stops before its first step.
      const steps = (): number =>
        ann.received.filter(({ type, task_id }) => type === 'task_progress' && task_id === 'deploy-cancelled').length;
      const before = steps();
      await workers.enqueue('ann', 'cancelled');
      expect(await result('cancelled')).toMatchObject({ status: 'cancelled' });
      expect([steps(), questions('cancelled')]).toEqual([before, 1]);
    },
    PATIENCE_MS,
  );

  it(
    'are killed, and another worker finds the confirmation and the answer that was given while none ran',
    async () => {
      await workers.enqueue('ann', 'meanwhile', 'afterwards');
      const [first, second] = [await asked('meanwhile'), await asked('afterwards')];
      expect(await worker.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
      await confirm(first, true, 'nobody listens');
      const takenSince = (seconds: number): string[] => ['ZCOUNT', 'unacked_index', String(Date.now() / 1000 - seconds), '+inf'];
      await untilBroker(() => takenSince(VISIBILITY_SECONDS), ':0');
      worker = workers.start({ HOLD: '0.5' });
      await worker.says('ready.');
      expect(await result('meanwhile')).toMatchObject({ status: 'released', feedback: 'nobody listens' });
      // Half a second is over sooner than the user has made up their mind: the task goes back into the queue, and asks again.
      await untilBroker(() => ['HVALS', 'unacked'], '"retries": 2');
      await confirm(second, true);
      expect(await result('afterwards')).toMatchObject({ status: 'released' });
      expect([questions('meanwhile'), questions('afterwards')]).toEqual([1, 1]);
    },
    PATIENCE_MS,
  );

  it(
    'ask the same question again when the service was killed under them',
    async () => {
      await workers.enqueue('ann', 'service-killed');
      const question = await asked('service-killed');
      const { port } = service;
      await service.stop('SIGKILL');
      service = await startOnFolder(port);
      await connect();
      expect(await asked('service-killed')).toMatchObject({ callback_id: question['callback_id'], redelivered: true });
      await confirm(question, true);
      expect(await result('service-killed')).toMatchObject({ status: 'released' });
      expect(worker.output).not.toContain('Unavailable'); // it has not even failed
      // A worker that is asked to stop ends what it has begun, and nothing is left over.
      expect(await worker.stop()).toMatchObject({ code: 0 });
      expect(await redis.command('HLEN', 'unacked')).toBe(':0\r\n');
    },
    PATIENCE_MS,
  );
});
