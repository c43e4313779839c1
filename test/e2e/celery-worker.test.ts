/** `examples/celery` as it is: a Celery worker in Python, its broker and the service in processes of their own, a user who answers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TestClient, type Frame } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { Program } from '../support/program.js';
import { RedisServer } from '../support/redis.js';
import { findBinary, requireBinary } from '../support/system.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/celery/', import.meta.url));
const API_KEY = 'a key of sixteen or more';
const VISIBILITY_SECONDS = 2;

const describeWithCelery = requireBinary('celery');
requireBinary('redis-server');

describeWithCelery('a Celery worker whose tasks ask a user', () => {
  let redis: RedisServer;
  let service: ServiceProcess;
  let dataDir: string;
  let ann: TestClient;
  let worker: Program;
  const started: Program[] = [];

  const variables = (): Record<string, string> => {
    return {
      // The python3 beside it is the one that celery was installed for.
      PATH: [dirname(findBinary('celery') ?? ''), process.env.PATH ?? ''].join(delimiter),
      PYTHONDONTWRITEBYTECODE: '1',
      REDIS_URL: redis.url,
      NOTIFICATIONS_URL: service.url,
      NOTIFICATIONS_API_KEY: API_KEY,
      STAGE_SECONDS: '0.02',
      VISIBILITY_TIMEOUT: String(VISIBILITY_SECONDS),
    };
  };
  const startWorker = (environment: Record<string, string> = {}): Program => {
    const sooner = ['--without-gossip', '--without-mingle', '--without-heartbeat'];
    const options = ['--pool', 'threads', '--concurrency', '5', '--loglevel', 'info', ...sooner];
    const program = Program.start('celery', ['-A', 'tasks', 'worker', ...options], { ...variables(), ...environment }, EXAMPLE);
    started.push(program);
    return program;
  };
  const enqueue = (...versions: string[]): Promise<string> =>
    Program.run('python3', ['enqueue.py', 'ann', ...versions], variables(), EXAMPLE);
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
    worker = startWorker();
    await connect();
  });
  afterAll(async () => {
    await Promise.all(started.map((program) => program.stop('SIGKILL')));
    await ann.close();
    await service.stop();
    await redis.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('report their progress, beat, ask, stop when they are cancelled, and end with the answer', async () => {
    await enqueue('released', 'declined', 'cancelled');
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
    await enqueue('cancelled');
    expect(await result('cancelled')).toMatchObject({ status: 'cancelled' });
    expect([steps(), questions('cancelled')]).toEqual([before, 1]);
  });

  it('are killed, and another worker takes up the question and the answer that was given while none lived', async () => {
    await enqueue('meanwhile', 'afterwards');
    const [first, second] = [await asked('meanwhile'), await asked('afterwards')];
    expect(await worker.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    await confirm(first, true, 'nobody listens');
    const takenSince = (seconds: number): string[] => ['ZCOUNT', 'unacked_index', String(Date.now() / 1000 - seconds), '+inf'];
    await untilBroker(() => takenSince(VISIBILITY_SECONDS), ':0');
    worker = startWorker({ HOLD: '0.5' });
    expect(await result('meanwhile')).toMatchObject({ status: 'released', feedback: 'nobody listens' });
    // Half a second is over sooner than the user has made up their mind: the task goes back into the queue, and asks again.
    await untilBroker(() => ['HVALS', 'unacked'], '"retries": 2');
    await confirm(second, true);
    expect(await result('afterwards')).toMatchObject({ status: 'released' });
    expect([questions('meanwhile'), questions('afterwards')]).toEqual([1, 1]);
  });

  it('ask the same question again when the service was killed under them', async () => {
    await enqueue('service-killed');
    const question = await asked('service-killed');
    const { port } = service;
    await service.stop('SIGKILL');
    service = await startOnFolder(port);
    await connect();
    expect(await asked('service-killed')).toMatchObject({ callback_id: question['callback_id'], redelivered: true });
    await confirm(question, true);
    expect(await result('service-killed')).toMatchObject({ status: 'released' });
    expect(worker.output).not.toContain('Unavailable'); // it has not even failed
    // A worker that is told to stop ends what it has begun, and nothing is left over.
    expect(await worker.stop()).toMatchObject({ code: 0 });
    expect(await redis.command('HLEN', 'unacked')).toBe(':0\r\n');
  });
});
