/**
 * The BullMQ worker inside a Nest app. What becomes of a job:
 *
 * 1. It waits: BullMQ renews its lock by a timer for as long as this process lives, hours or days. It takes one of the
 *    `concurrency` places, which costs next to nothing; there must be more of them than questions open at a time.
 * 2. This process dies (`kill -9`): the lock ends after `lockDuration`, and within two `stalledInterval`s another worker
 *    has the job again. Its key finds the question, or the answer that was given meanwhile.
 * 3. This process gets SIGTERM: `notifyUser` rejects with `ServiceClosedError`. That is no failure of the job, so it goes
 *    back to the queue as it was, without an attempt being counted, and another worker has it at once.
 * 4. Nobody answered in time, or the key belongs to another question: it fails for good, since asking again by the same
 *    key would only find the same. To ask again, give it a new task id.
 * 5. Anything else, such as `EngineUnavailableError`: BullMQ tries again (`attempts` and `backoff`, see enqueue.ts).
 */
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { UnrecoverableError, WaitingError, Worker, type Job } from 'bullmq';
import { ConfirmationConflictError, ConfirmationTimeoutError, ServiceClosedError } from '../../src/notification/index.js';
import { DeployTask } from './deploy.task.js';
import { connectToRedis, QUEUE, type DeployData, type DeployResult } from './queue.js';

@Injectable()
export class DeployWorker implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger(DeployWorker.name);
  private readonly redis = connectToRedis();
  private worker?: Worker<DeployData, DeployResult>;
  private closing?: Promise<void>;

  constructor(private readonly task: DeployTask) {}

  onApplicationBootstrap(): void {
    this.worker = new Worker(QUEUE, (job, token) => this.process(job, token), {
      connection: this.redis,
      concurrency: 1000,
      lockDuration: Number(process.env['LOCK_DURATION_MS'] ?? 30_000),
      stalledInterval: Number(process.env['STALLED_INTERVAL_MS'] ?? 30_000),
      // Every kill -9 in which a job is under way counts; with the default, 1, the second one would fail it.
      maxStalledCount: 10,
    });
    this.worker.on('ready', () => this.logger.log('takes jobs'));
    this.worker.on('error', (error) => this.logger.warn(error.message));
    this.worker.on('failed', (job, error) => this.logger.warn(`${job?.id ?? 'a job'}: ${error.message}`));
  }

  /** Takes no more jobs. It cannot wait here for those under way: their calls reject only when the module closes, after this. */
  onModuleDestroy(): void {
    this.closing = this.worker?.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.closing;
    await this.redis.close();
  }

  private async process(job: Job<DeployData, DeployResult>, token?: string): Promise<DeployResult> {
    try {
      return await this.task.run(job);
    } catch (error) {
      if (error instanceof ServiceClosedError) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      if (error instanceof ConfirmationTimeoutError || error instanceof ConfirmationConflictError)
        throw new UnrecoverableError(error.message);
      throw error;
    }
  }
}
