/** Tasks, as the main thread offers them: rows of the store become tasks here. */
import type { Clock } from '../../pacing/clock.js';
import type { CancelRequest, CancelResult, ResumeResult, Task, TaskStore } from '../task-store.js';
import { toTask } from './rows.js';
import type { StoreClient } from './store-client.js';

export class StoredTasks implements TaskStore {
  constructor(
    private readonly client: StoreClient,
    private readonly clock: Clock,
  ) {}

  async claim(taskId: string, userId: string): Promise<Task> {
    return toTask(await this.client.store.claimTask(taskId, userId));
  }

  async cancel({ arrival, ...request }: CancelRequest): Promise<CancelResult> {
    const cancelling = this.client.store.cancelTask(request, arrival?.earliest ?? this.clock.monotonicMs());
    arrival?.handedOver();
    const result = await cancelling;
    if (!result) return { status: 'not_found' };
    return { status: result.before ? 'already_cancelled' : 'cancelled', task: toTask(result.task) };
  }

  async resume(taskId: string): Promise<ResumeResult> {
    const result = await this.client.store.resumeTask(taskId);
    if (!result) return { status: 'not_found' };
    return { status: result.resumed ? 'resumed' : 'not_cancelled', task: toTask(result.task) };
  }

  async get(taskId: string): Promise<Task | undefined> {
    const row = await this.client.store.getTask(taskId);
    return row && toTask(row);
  }
}
