/**
 * The decisions, task events and revocations of one partition, in the order of its stream, each once.
 *
 *  1. The stream is the truth; pub/sub only brings an event sooner. A message says which event came before it: when that
 *     is not the last one told here, the stream is read from there on.
 *  2. Whatever changes a prompt waits until its event was told here (`passed`), so that a caller that has its reply has had
 *     its event. When pub/sub keeps it waiting, the stream is read.
 *  3. A stream that ends before what was told here has lost its end (a fail-over): it is followed from its new end, and
 *     `onLost` says so.
 */
import { toConfirmation, toTaskRecord, groups, list, text, type Reply } from '../reply-decoder.js';
import type { Confirmation, Task } from '../../engine.js';
import { clearTimeout, setTimeout } from '../../../pacing/time-source.js';

export type FeedEvent =
  { kind: 'decided'; confirmation: Confirmation } | { kind: 'task'; task: Task } | { kind: 'revoked' | 'review'; userId: string };

export interface FeedSource {
  /** Flat: order, kind, subject, … */
  after(order: string, limit: number): Promise<Reply>;
  tell(event: FeedEvent): void;
  onLost(): void;
  onError(error: unknown): void;
}

const PAGE = 200;
/** How long pub/sub may be late before the stream is read. */
const PATIENCE_MS = 40;

export class Feed {
  private cursor = Infinity;
  private wanted = 0;
  private reading: Promise<void> | undefined;
  private waiting: { order: number; resolve(): void }[] = [];

  constructor(private readonly source: FeedSource) {}

  /** The newest event told here. */
  get position(): number {
    return this.cursor;
  }

  /** From here on; what came before is the replay's. */
  begin(head: number): void {
    this.cursor = head;
  }

  /** A message of pub/sub: [order of the event before, order, kind, payload]. */
  onMessage(message: readonly Reply[]): void {
    const [before, order] = [Number(message[0]), Number(message[1])];
    if (order <= this.cursor) return;
    if (before !== this.cursor || this.reading) return void this.catchUp(order);
    this.advance(order, eventOf(message[2], message[3]));
  }

  /** Resolves once events up to `order` were told; at the latest when they could not be read, for they come later then. */
  async passed(order: number): Promise<void> {
    if (order <= this.cursor) return;
    this.wanted = Math.max(this.wanted, order);
    let timer: NodeJS.Timeout | undefined;
    const told = new Promise<void>((resolve) => this.waiting.push({ order, resolve }));
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => void this.catchUp(order).then(resolve), PATIENCE_MS);
    });
    await Promise.race([told, late]);
    clearTimeout(timer);
  }

  /** Where the stream ended when somebody looked, and what had been told here before that look. */
  onHead(head: number, before: number): void {
    if (head < before && !this.reading) {
      this.cursor = head;
      this.wanted = 0;
      this.source.onLost();
    } else if (head > this.cursor) void this.catchUp(head);
  }

  private catchUp(order: number): Promise<void> {
    this.wanted = Math.max(this.wanted, order);
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async read(): Promise<void> {
    try {
      while (this.cursor < this.wanted) {
        const goal = this.wanted;
        const page = list(await this.source.after(String(this.cursor), PAGE));
        for (const [order, kind, payload] of groups(page, 3)) this.advance(Number(text(order)), eventOf(kind, payload));
        // What is not in the stream any more cannot be waited for.
        if (page.length === 0 && goal === this.wanted) this.wanted = this.cursor;
      }
    } catch (error) {
      this.source.onError(error);
    }
  }

  private advance(order: number, event: FeedEvent | undefined): void {
    if (order <= this.cursor) return;
    this.cursor = order;
    if (event) this.source.tell(event);
    if (this.waiting.length === 0) return;
    const waiting = this.waiting;
    this.waiting = waiting.filter((each) => each.order > order);
    for (const each of waiting) if (each.order <= order) each.resolve();
  }
}

/** `undefined`: the prompt has been forgotten meanwhile. */
export function eventOf(kind: Reply, payload: Reply): FeedEvent | undefined {
  if (kind === 'decided') return Array.isArray(payload) ? { kind, confirmation: toConfirmation(payload) } : undefined;
  if (kind === 'revoked' || kind === 'review') return { kind, userId: text(payload) };
  const [record, named] = typeof payload === 'string' ? list(JSON.parse(payload)) : list(payload);
  const { task } = toTaskRecord(record, named);
  return task && { kind: 'task', task };
}
