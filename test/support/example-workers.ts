/** The workers of `examples/`, in processes of their own. */
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from './child-program.js';
import { findBinary } from './system.js';

const BULLMQ = fileURLToPath(new URL('../../examples/bullmq/', import.meta.url));
const PYTHON_CLIENT = fileURLToPath(new URL('../../../clients/python/', import.meta.url));
const CELERY = fileURLToPath(new URL('../../examples/celery/', import.meta.url));

/** `examples/bullmq` on one Redis. */
export class BullmqWorkers {
  private readonly started: Program[] = [];

  constructor(private readonly redisUrl: string) {}

  start(): Program {
    const worker = Program.start(process.execPath, [`${BULLMQ}main.js`], this.environment());
    this.started.push(worker);
    return worker;
  }

  /** Through the example's own program. @returns what it printed */
  enqueue(...args: string[]): Promise<string> {
    return Program.run(process.execPath, [`${BULLMQ}enqueue.js`, ...args], this.environment());
  }

  async kill(): Promise<void> {
    await Promise.all(this.started.map((worker) => worker.stop('SIGKILL')));
  }

  private environment(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      REDIS_URL: this.redisUrl,
      STAGE_MS: '20',
      LOCK_DURATION_MS: '2000',
      STALLED_INTERVAL_MS: '300',
    };
  }
}

/** How long a task that nobody has acknowledged is left alone. */
export const VISIBILITY_SECONDS = 2;

/** `examples/celery` on one Redis as its broker, beside one service. */
export class CeleryWorkers {
  private readonly started: Program[] = [];

  constructor(
    private readonly redisUrl: string,
    private readonly service: { url: string; apiKey?: string },
  ) {}

  start(environment: Record<string, string> = {}): Program {
    const sooner = ['--without-gossip', '--without-mingle', '--without-heartbeat'];
    const options = ['--pool', 'threads', '--concurrency', '5', '--loglevel', 'info', ...sooner];
    const args = ['-A', 'tasks', 'worker', ...options];
    const worker = Program.start('celery', args, { ...this.environment(), ...environment }, CELERY);
    this.started.push(worker);
    return worker;
  }

  /** Through the example's own program. */
  async enqueue(...args: string[]): Promise<void> {
    await Program.run('python3', ['enqueue.py', ...args], this.environment(), CELERY);
  }

  async kill(): Promise<void> {
    await Promise.all(this.started.map((worker) => worker.stop('SIGKILL')));
  }

  private environment(): Record<string, string> {
    return {
      // The python3 beside it is the one that celery was installed for.
      PATH: [dirname(findBinary('celery') ?? ''), process.env.PATH ?? ''].join(delimiter),
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONPATH: PYTHON_CLIENT,
      REDIS_URL: this.redisUrl,
      NOTIFICATIONS_URL: this.service.url,
      NOTIFICATIONS_API_KEY: this.service.apiKey ?? '',
      STAGE_SECONDS: '0.02',
      VISIBILITY_TIMEOUT: String(VISIBILITY_SECONDS),
    };
  }
}
