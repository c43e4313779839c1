/** Reads lists of confirmations, over all partitions. */
import type { Confirmation, ConfirmationQuery } from '../../confirmation-store.js';
import { checkCursor, type Page } from '../../page.js';
import type { Scope } from '../../scope.js';
import type { EventStreams } from '../cluster/event-streams.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import type { ConfirmationRecord } from '../records.js';
import { LIST } from '../scripts/confirmation.js';

/** The last confirmation's place: its order and, for the same microsecond, its partition. */
const CURSOR = /^\d{1,17}\.\d{1,5}$/;
const STEP_ROWS = 500;

/** A list in one partition. */
interface Source {
  partition: number;
  list: 'all' | 'user' | 'task';
  subject: string;
}

type Filter = Pick<ConfirmationQuery, 'scope' | 'taskId' | 'state'>;

export class ConfirmationLists {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly streams: EventStreams,
  ) {}

  async page({ scope, taskId, state, limit, cursor }: ConfirmationQuery): Promise<Page<Confirmation>> {
    checkCursor(cursor, CURSOR);
    const [order = '0', last = '-1'] = cursor?.split('.') ?? [];
    const pages = await Promise.all(
      this.sourcesOf(scope, taskId).map(async (source) => {
        const from = source.partition > Number(last) ? order : `(${order}`;
        const records = await this.read(source, from, limit + 1, { scope, taskId, state });
        return records.map((record) => ({ record, order: record.order, partition: source.partition }));
      }),
    );
    const found = pages.flat().sort((a, b) => a.order - b.order || a.partition - b.partition);
    const page = found.slice(0, limit);
    const end = page.at(-1);
    return {
      items: page.map(({ record }) => record.toConfirmation()),
      ...(found.length > limit && end && { cursor: `${end.order}.${end.partition}` }),
    };
  }

  /** The pending confirmations of a user, or of all, that were opened after a moment by Redis' clock. */
  async openedAfter(moment: number, userId?: string): Promise<Confirmation[]> {
    const scope = userId === undefined ? 'all' : [userId];
    const pages = await Promise.all(
      this.sourcesOf(scope, undefined).map((source) =>
        this.read(source, String(moment * 1000), Infinity, { scope, state: 'pending' }),
      ),
    );
    return pages.flat().map((record) => record.toConfirmation());
  }

  private sourcesOf(scope: Scope, taskId: string | undefined): Source[] {
    const { partitions } = this;
    if (scope === 'all')
      return partitions.all.map((partition) => ({
        partition,
        list: taskId === undefined ? 'all' : 'task',
        subject: taskId ?? '',
      }));
    if (taskId === undefined)
      return [...new Set(scope)].map((userId) => ({ partition: partitions.of(userId), list: 'user', subject: userId }));
    return [...new Set(scope.map((userId) => partitions.of(userId)))].map((partition) => ({
      partition,
      list: 'task',
      subject: taskId,
    }));
  }

  private async read(
    { partition, list, subject }: Source,
    start: string,
    limit: number,
    { scope, taskId, state }: Filter,
  ): Promise<ConfirmationRecord[]> {
    const found: ConfirmationRecord[] = [];
    for (let from: string | undefined = start; from !== undefined && found.length < limit;) {
      const page: ReturnType<(typeof LIST)['decode']> = await this.runner.run(LIST, partition, {
        list,
        subject,
        pendingOnly: state === 'pending',
        from,
        limit: Math.min(limit - found.length, STEP_ROWS),
        task: taskId,
        state,
        scope,
      });
      found.push(...page.records);
      from = page.nextFrom;
      await this.streams.emitted(
        partition,
        page.newestEvent,
        page.records.some((record) => record.isDecided),
      );
    }
    return found;
  }
}
