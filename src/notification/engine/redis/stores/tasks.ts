/**
 * Tasks. A cancellation is decided in the task's partition; then its prompts are resolved, partition by partition, each
 * step repeatable. A step that fails on the way leaves the task in the list of those that are not done. The next cancellation
 * or resumption of the task, or a node's tick, finishes it first.
 */
import type { Arrival } from '../../deadlines.js';
import type * as Api from '../../engine.js';
import { OWN_CODE_VIA } from '../../via.js';
import { EngineUnavailableError } from '../../../notification.errors.js';
import type { Context } from '../context.js';
import { list, maybe, text, toTaskRecord, type TaskRecord } from '../reply-decoder.js';
import { CANCEL_PROMPTS } from '../scripts/confirmation.js';
import { optional, scopeText } from '../scripts/script.js';
import { CANCEL, CANCEL_DONE, CLAIM, FORGET_TASK, GET_TASK, IS_BUSY, RESUME, TASK_PARTITIONS } from '../scripts/task.js';

/** How long, at least, a prompt under way can be late: its node may have been frozen. */
const MARK_MS = 600_000;

export class RedisTasks implements Api.TaskStore {
  constructor(private readonly context: Context) {}

  /** Claims the task for the user, and notes where a prompt of it will be. */
  async use(taskId: string, userId: string, partition?: number): Promise<TaskRecord> {
    const { settings } = this.context;
    return toTaskRecord(
      await this.context.run(CLAIM, this.partitionOf(taskId), taskId, userId, partition ?? '', settings.retentionMs),
    );
  }

  async claim(taskId: string, userId: string): Promise<Api.Task> {
    const { task } = await this.use(taskId, userId);
    if (!task) throw new EngineUnavailableError('Redis claimed a task and gave none');
    return task;
  }

  async get(taskId: string): Promise<Api.Task | undefined> {
    return toTaskRecord(await this.context.run(GET_TASK, this.partitionOf(taskId), taskId)).task;
  }

  async cancel(request: Api.CancelRequest): Promise<Api.CancelResult> {
    const { taskId, scope, cancelledBy, via = OWN_CODE_VIA, reason, namedUserId, allowUnknown, arrival } = request;
    const partition = this.partitionOf(taskId);
    const [status, record, parts, undone, fed] = list(
      await this.context.run(
        CANCEL,
        partition,
        taskId,
        scopeText(scope),
        optional(cancelledBy),
        optional(reason),
        optional(namedUserId),
        allowUnknown ? '1' : '',
        via,
      ),
    );
    if (status === 'not_found') return { status };
    await this.context.told(partition, fed);
    const cancelled = toTaskRecord(record);
    if (undone === '1') await this.resolvePrompts(taskId, cancelled, list(parts).map(Number), arrival);
    arrival?.handedOver();
    if (!cancelled.task) throw new EngineUnavailableError('Redis cancelled a task and gave none');
    return { status: status === 'cancelled' ? 'cancelled' : 'already_cancelled', task: cancelled.task };
  }

  async resume(taskId: string): Promise<Api.ResumeResult> {
    const partition = this.partitionOf(taskId);
    for (;;) {
      const [status, record, fed, parts] = list(await this.context.run(RESUME, partition, taskId));
      await this.context.told(partition, fed);
      const resumed = toTaskRecord(record);
      if (!resumed.task) return { status: 'not_found' };
      if (status !== 'undone') return { status: status === 'resumed' ? status : 'not_cancelled', task: resumed.task };
      // The cancellation was emitted, but failed on its way to the prompts.
      await this.resolvePrompts(taskId, resumed, list(parts).map(Number));
    }
  }

  /** What a node that died left undone. */
  async driveOn(taskId: string): Promise<void> {
    const partition = this.partitionOf(taskId);
    const record = toTaskRecord(await this.context.run(GET_TASK, partition, taskId));
    const parts = list(await this.context.run(TASK_PARTITIONS, partition, taskId)).map(Number);
    if (record.task?.cancelled) await this.resolvePrompts(taskId, record, parts);
    else await this.context.run(CANCEL_DONE, partition, taskId, record.version);
  }

  /** Forgets a task that was not used for the retention; one with pending prompts counts as used. */
  async forget(taskId: string, lastUse: string): Promise<void> {
    const partition = this.partitionOf(taskId);
    const parts = list(await this.context.run(TASK_PARTITIONS, partition, taskId)).map(Number);
    const busy = await Promise.all(parts.map((part) => this.context.run(IS_BUSY, part, taskId)));
    await this.context.run(FORGET_TASK, partition, taskId, lastUse, busy.some((count) => Number(count) > 0) ? '1' : '');
  }

  private async resolvePrompts(taskId: string, record: TaskRecord, parts: number[], arrival?: Arrival): Promise<void> {
    const { task, version, cancelledBy, cancelledVia } = record;
    const mark = Math.max(MARK_MS, this.context.settings.retentionMs);
    await Promise.all(
      parts.map(async (part) => {
        for (let more = true; more;) {
          const reply = await this.context.run(
            CANCEL_PROMPTS,
            part,
            taskId,
            version,
            optional(cancelledBy),
            optional(task?.reason),
            mark,
            optional(cancelledVia),
            this.context.arrivedAt(part, arrival),
          );
          const [again, fed] = list(reply);
          await this.context.told(part, fed);
          more = maybe(again) === '1';
        }
      }),
    );
    await this.context.run(CANCEL_DONE, this.partitionOf(taskId), taskId, text(version));
  }

  private partitionOf(taskId: string): number {
    return this.context.partitions.of(taskId);
  }
}
