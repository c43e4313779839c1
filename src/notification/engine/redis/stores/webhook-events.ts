/**
 * Notices (E7), over all partitions.
 *
 *  1. `ripe` are the partitions in which something may wait to be claimed; nowhere else is looked. An event puts its
 *     partition there on one node, each node's tick those where something has been waiting.
 *  2. A partition leaves `ripe` before it is asked, so that what happens meanwhile puts it back.
 */
import type { WebhookEventName } from '../../../../protocol/webhook-events.js';
import type * as Api from '../../engine.js';
import { noticeOfConfirmation, noticeOfTask } from '../../webhook-event.js';
import type { Context } from '../context.js';
import { groups, list, maybe, text, toConfirmation, toTaskRecord, type Reply } from '../reply-decoder.js';
import { CLAIM_NOTICES, COMPLETE_NOTICE, COUNT_NOTICES, POSTPONE_NOTICE } from '../scripts/notice.js';
import type { Teller } from '../cluster/safe-handler.js';

export class Notices {
  private readonly ripe = new Set<number>();

  constructor(
    private readonly context: Context,
    private readonly teller: Teller,
  ) {}

  /** Something happened. Every node hears of it; the one whose turn the partition is looks at once. */
  onEvent(partition: number): void {
    if (this.context.nodes.isTurn(partition)) this.ripen(partition);
  }

  /** There is something that nobody holds. */
  ripen(partition: number): void {
    if (!this.context.settings.notices?.length) return;
    this.ripe.add(partition);
    this.teller.tell((handler) => handler.onNotices());
  }

  dropped(count: number): void {
    if (count > 0) this.teller.tell((handler) => handler.onNoticesDropped(count));
  }

  async claim(limit: number, leaseMs: number): Promise<Api.Notice[]> {
    const claimed: Api.Notice[] = [];
    for (const partition of [...this.ripe]) {
      if (claimed.length >= limit) break;
      this.ripe.delete(partition);
      try {
        const [found, more, lost] = list(await this.context.run(CLAIM_NOTICES, partition, limit - claimed.length, leaseMs));
        if (maybe(more) === '1') this.ripe.add(partition);
        this.dropped(Number(text(lost)));
        for (const notice of groups(found, 6)) claimed.push(toNotice(notice));
      } catch (error) {
        this.ripe.add(partition);
        // What was claimed before is held until its lease ends.
        if (claimed.length === 0) throw error;
        break;
      }
    }
    return claimed;
  }

  async complete(notice: Api.Notice): Promise<boolean> {
    return maybe(await this.context.run(COMPLETE_NOTICE, this.partitionOf(notice), notice.id)) === '1';
  }

  async postpone(notice: Api.Notice, delayMs: number): Promise<boolean> {
    const { id, attempt } = notice;
    return maybe(await this.context.run(POSTPONE_NOTICE, this.partitionOf(notice), id, attempt, delayMs)) === '1';
  }

  async counts(): Promise<Api.NoticeCounts> {
    const { partitions } = this.context;
    const replies = (await Promise.all(partitions.all.map((partition) => this.context.run(COUNT_NOTICES, partition)))).map(list);
    const oldest = replies.flatMap(([, moment]) => maybe(moment) ?? []).map(Number);
    return {
      waiting: replies.reduce((sum, [count]) => sum + Number(text(count)), 0),
      ...(oldest.length > 0 && { oldestAt: Math.min(...oldest) }),
    };
  }

  private partitionOf({ subject }: Api.Notice): number {
    const { partitions } = this.context;
    if (subject.kind === 'task') return partitions.of(subject.task.taskId);
    return partitions.ofCallback(subject.confirmation.callbackId) ?? 0;
  }
}

function toNotice([id, attempt, at, event, kind, payload]: readonly Reply[]): Api.Notice {
  const envelope = { id: text(id), attempt: Number(text(attempt)), at: Number(text(at)) };
  if (kind === 'confirmation')
    return noticeOfConfirmation(envelope, toConfirmation(payload), maybe(event) as WebhookEventName | undefined);
  const [record, named] = list(JSON.parse(text(payload)));
  const { task } = toTaskRecord(record, named);
  if (!task) throw new TypeError(`notice ${envelope.id} is of no task`);
  return noticeOfTask(envelope, task);
}
