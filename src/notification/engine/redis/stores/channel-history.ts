/** Reads channels: their positions and their history. */
import { parseChannel, type Channel } from '../../../../protocol/channels.js';
import { PAGE_BYTES, type HistoryRequest, type HistoryResult, type StreamPosition } from '../../broker.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { HISTORY_AFTER, POSITION } from '../scripts/message.js';
import { GET_TASK } from '../scripts/task.js';

export class ChannelHistory {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly historyTtlMs: number,
  ) {}

  position(channel: string): Promise<StreamPosition> {
    return this.runner.run(POSITION, this.partitions.ofChannel(parseChannel(channel)), { channel });
  }

  async after({ channel, since, limit }: HistoryRequest): Promise<HistoryResult> {
    const partition = this.partitions.ofChannel(parseChannel(channel));
    const { complete, epoch, offset, publications } = await this.runner.run(HISTORY_AFTER, partition, {
      channel,
      sinceEpoch: since.epoch,
      sinceOffset: since.offset,
      limit: Math.max(1, limit),
      historyTtl: this.historyTtlMs,
      pageBytes: PAGE_BYTES,
    });
    const head = { epoch, offset };
    if (!complete) return { complete: false, head };
    return {
      complete: true,
      publications: publications.map(({ message, offset: at }) => ({ text: message, offset: at })),
      head,
    };
  }

  /** The user of the task of a `task:` channel. */
  async ownerOf(channel: Channel): Promise<string | undefined> {
    if (channel.kind !== 'task') return undefined;
    const { taskId } = channel;
    const { task } = await this.runner.run(GET_TASK, this.partitions.of(taskId), { id: taskId });
    return task?.userId ?? undefined;
  }
}
