/** Reads lists of confirmations, over all partitions. */
import type { Confirmation, ConfirmationQuery } from '../../confirmation-store.js';
import { checkCursor, type Page } from '../../page.js';
import type { Scope } from '../../scope.js';
import type { EventStreams } from '../cluster/event-streams.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import type { ConfirmationRecord } from '../records.js';
import { PAGE_BYTES } from '../../broker.js';
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

type Filter = Pick<ConfirmationQuery, 'scope' | 'taskId' | 'state' | 'newestFirst'>;

/** Of orders, as Redis writes it: `(` before a limit excludes it. */
interface Interval {
  from: string;
  to: string;
}

interface Place {
  order: number;
  partition: number;
  record: ConfirmationRecord;
}

export class ConfirmationLists {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly streams: EventStreams,
  ) {}

  /** A page of all sources together. They share `PAGE_BYTES`; each of them contributes one confirmation at least. */
  async page({ limit, cursor, openedBefore, ...filter }: ConfirmationQuery): Promise<Page<Confirmation>> {
    checkCursor(cursor, CURSOR);
    const { scope, taskId, newestFirst = false } = filter;
    const inOrder = newestFirst ? (a: Place, b: Place): number => byOrder(b, a) : byOrder;
    const intervalOf = intervals(cursor, openedBefore, newestFirst);
    const sources = this.sourcesOf(scope, taskId);
    const bounds = { limit: Math.min(limit + 1, STEP_ROWS), pageBytes: Math.ceil(PAGE_BYTES / sources.length) };
    const pages = await Promise.all(sources.map((source) => this.readSome(source, intervalOf(source), bounds, filter)));
    const ends = pages.filter(({ nextFrom }) => nextFrom !== undefined).map(({ places }) => places.at(-1));
    const end = ends.filter((place) => place !== undefined).sort(inOrder)[0];
    // Behind the first of these ends something may be missing.
    const found = pages.flatMap(({ places }) => places).sort(inOrder);
    const items = found.filter((place) => !end || inOrder(place, end) <= 0).slice(0, limit);
    const newest = items.at(-1);
    const hasMore = end !== undefined || found.length > items.length;
    return {
      items: items.map(({ record }) => record.toConfirmation()),
      ...(hasMore && newest && { cursor: `${newest.order}.${newest.partition}` }),
    };
  }

  /** The pending confirmations of a user, or of all, that were opened after a moment by Redis' clock; page by page. */
  async *openedAfter(moment: number, userId?: string): AsyncGenerator<Confirmation> {
    const filter = { scope: userId === undefined ? ('all' as const) : [userId], state: 'pending' as const };
    const bounds = { limit: STEP_ROWS, pageBytes: PAGE_BYTES };
    for (const source of this.sourcesOf(filter.scope, undefined)) {
      for (let from: string | undefined = String(moment * 1000); from !== undefined;) {
        const interval = { from, to: '+inf' };
        const page: { places: Place[]; nextFrom?: string } = await this.readSome(source, interval, bounds, filter);
        for (const { record } of page.places) yield record.toConfirmation();
        from = page.nextFrom;
      }
    }
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

  /** Reads on until it has found something, or the list ends. */
  private async readSome(
    { partition, list, subject }: Source,
    { from: start, to }: Interval,
    bounds: { limit: number; pageBytes: number },
    { scope, taskId, state, newestFirst = false }: Filter,
  ): Promise<{ places: Place[]; nextFrom?: string }> {
    for (let from = start; ;) {
      const page: ReturnType<(typeof LIST)['decode']> = await this.runner.run(LIST, partition, {
        list,
        subject,
        pendingOnly: state === 'pending',
        newestFirst,
        from,
        to,
        ...bounds,
        task: taskId,
        state,
        scope,
      });
      await this.streams.emitted(
        partition,
        page.newestEvent,
        page.records.some((record) => record.isDecided),
      );
      const { nextFrom } = page;
      if (nextFrom !== undefined && page.records.length === 0) {
        from = nextFrom;
        continue;
      }
      const places = page.records.map((record) => ({ record, order: record.order, partition }));
      return { places, ...(nextFrom !== undefined && { nextFrom }) };
    }
  }
}

const byOrder = (a: Place, b: Place): number => a.order - b.order || a.partition - b.partition;

/** Where to read in each source: behind the cursor's place, up to the moment. Orders are microseconds. */
function intervals(
  cursor: string | undefined,
  openedBefore: number | undefined,
  newestFirst: boolean,
): (source: Source) => Interval {
  const newest = openedBefore === undefined ? '+inf' : `(${openedBefore * 1000}`;
  const [start, to] = newestFirst ? [newest, '-inf'] : ['0', newest];
  if (cursor === undefined) return () => ({ from: start, to });
  const [order = '', partition = ''] = cursor.split('.');
  const last = Number(partition);
  // In the same microsecond, partitions follow each other in order.
  return (source) => {
    const isBehind = newestFirst ? source.partition < last : source.partition > last;
    return { from: isBehind ? order : `(${order}`, to };
  };
}
