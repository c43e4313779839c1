/**
 * Tasks. A cancellation is decided in the task's partition. Then its confirmations are decided, partition by partition, in steps
 * that can be repeated. A step that fails leaves the task in the list of undone ones. The next cancellation or resumption of the
 * task, or a sweep, finishes it first.
 */
import { EngineUnavailableError } from '../../../notification.errors.js';
import type { Arrival } from '../../deadlines.js';
import type { CancelRequest, CancelResult, ResumeResult, Task, TaskStore } from '../../task-store.js';
import { OWN_CODE_VIA } from '../../via.js';
import type { EventStreams } from '../cluster/event-streams.js';
import type { PartitionClocks } from '../cluster/partition-clock.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import type { TaskRecord } from '../records.js';
import { CANCEL_CONFIRMATIONS } from '../scripts/confirmation.js';
import { CANCEL, CANCEL_DONE, CLAIM, FORGET_TASK, GET_TASK, IS_BUSY, RESUME, TASK_PARTITIONS } from '../scripts/task.js';

/** For how long, at least, a confirmation can be on its way: its node may have been frozen. */
const MARK_MS = 600_000;

export class RedisTasks implements TaskStore {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly streams: EventStreams,
    private readonly clocks: PartitionClocks,
    private readonly retentionMs: number,
  ) {}

  /** Claims the task for the user, and notes in which partition it will have a confirmation. */
  use(taskId: string, userId: string, partition?: number): Promise<TaskRecord> {
    const { retentionMs: retention } = this;
    return this.runner.run(CLAIM, this.partitions.of(taskId), { id: taskId, user: userId, partition, retention });
  }

  async claim(taskId: string, userId: string): Promise<Task> {
    const { task } = await this.use(taskId, userId);
    if (!task) throw new EngineUnavailableError('Redis claimed a task and gave none');
    return task;
  }

  async get(taskId: string): Promise<Task | undefined> {
    return (await this.read(taskId)).task;
  }

  async cancel(request: CancelRequest): Promise<CancelResult> {
    const { taskId, scope, cancelledBy, via = OWN_CODE_VIA, reason, namedUserId, allowUnknown, arrival } = request;
    const partition = this.partitions.of(taskId);
    const reply = await this.runner.run(CANCEL, partition, {
      id: taskId,
      scope,
      cancelledBy,
      reason,
      namedUser: namedUserId,
      allowUnknown,
      via,
    });
    const { status, task: record, newestEvent, partitions = [], undone } = reply;
    if (status === 'not_found') return { status };
    if (!record?.task || newestEvent === undefined) throw new EngineUnavailableError('Redis cancelled a task and gave none');
    await this.streams.emitted(partition, newestEvent);
    if (undone) await this.cancelConfirmations(taskId, record, partitions, arrival);
    arrival?.handedOver();
    return { status: status === 'cancelled' ? 'cancelled' : 'already_cancelled', task: record.task };
  }

  async resume(taskId: string): Promise<ResumeResult> {
    const partition = this.partitions.of(taskId);
    for (;;) {
      const { status, task: record, newestEvent, partitions } = await this.runner.run(RESUME, partition, { id: taskId });
      await this.streams.emitted(partition, newestEvent);
      if (!record.task) return { status: 'not_found' };
      if (status !== 'undone') return { status: status === 'resumed' ? status : 'not_cancelled', task: record.task };
      // The cancellation was emitted, but failed on its way to the confirmations.
      await this.cancelConfirmations(taskId, record, partitions);
    }
  }

  /** Finishes a cancellation that a node has left undone. */
  async finishCancellation(taskId: string): Promise<void> {
    const record = await this.read(taskId);
    if (record.task?.cancelled) await this.cancelConfirmations(taskId, record, await this.partitionsOf(taskId));
    else await this.runner.run(CANCEL_DONE, this.partitions.of(taskId), { id: taskId, version: record.version });
  }

  /** Forgets a task that was not used for the retention. A task with pending confirmations counts as used. */
  async forget(taskId: string, lastUse: string): Promise<void> {
    const partitions = await this.partitionsOf(taskId);
    const areBusy = await Promise.all(partitions.map((each) => this.runner.run(IS_BUSY, each, { task: taskId })));
    await this.runner.run(FORGET_TASK, this.partitions.of(taskId), { id: taskId, lastUse, busy: areBusy.includes(true) });
  }

  private async cancelConfirmations(
    taskId: string,
    record: TaskRecord,
    partitions: readonly number[],
    arrival?: Arrival,
  ): Promise<void> {
    const { task, version, cancelledBy, cancelledVia } = record;
    const markTtl = Math.max(MARK_MS, this.retentionMs);
    await Promise.all(
      partitions.map(async (partition) => {
        for (let hasMore = true; hasMore;) {
          const { more, newestEvent } = await this.runner.run(CANCEL_CONFIRMATIONS, partition, {
            task: taskId,
            version,
            cancelledBy,
            reason: task?.reason,
            markTtl,
            cancelledVia,
            arrived: this.clocks.arrivedAt(partition, arrival),
          });
          await this.streams.emitted(partition, newestEvent);
          hasMore = more;
        }
      }),
    );
    await this.runner.run(CANCEL_DONE, this.partitions.of(taskId), { id: taskId, version });
  }

  private read(taskId: string): Promise<TaskRecord> {
    return this.runner.run(GET_TASK, this.partitions.of(taskId), { id: taskId });
  }

  private partitionsOf(taskId: string): Promise<number[]> {
    return this.runner.run(TASK_PARTITIONS, this.partitions.of(taskId), { id: taskId });
  }
}
