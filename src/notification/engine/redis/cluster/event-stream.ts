/**
 * The decisions, task events and revocations of one partition, in the order of its stream, each emitted once.
 *
 *  1. The stream is the truth; pub/sub only brings an event sooner. A message names the event before it. If that is not the last
 *     one that was emitted here, the stream is read from there on.
 *  2. A call that changed a confirmation waits until its event was emitted here (`passed`), so that a caller has its event
 *     before its reply. When pub/sub is late, the stream is read.
 *  3. A stream that ends before the last emitted event has lost its end (a fail-over). It is followed from its new end, and
 *     `onLost` says so.
 */
import { SingleFlight } from '../../../pacing/single-flight.js';
import { clearTimeout, setTimeout } from '../../../pacing/time-source.js';
import type { Decided } from '../../confirmation-store.js';
import type { Task } from '../../task-store.js';
import { decided, record, taskOfEvent } from '../records.js';
import { anyList, number, text } from '../reply-decoder.js';

export type StreamEvent =
  /** `appliedBy`: the node that alone is responsible for a decision by the clock; absent: every node that emits it. */
  | { kind: 'decided'; confirmation: Decided; appliedBy: string | undefined }
  | { kind: 'task'; task: Task }
  | { kind: 'revoked' | 'review'; userId: string }
  | { kind: 'lease'; taskId: string; nodeId: string; order: number };

/** An event as it is stored. */
export interface StreamEntry {
  order: number;
  kind: string;
  payload: unknown;
}

export interface StreamSource {
  after(order: number, limit: number): Promise<StreamEntry[]>;
  emit(event: StreamEvent): void;
  onLost(): void;
  onError(error: unknown): void;
}

export const EVENT_PAGE = 200;
/** How long pub/sub may be late before the stream is read. */
const PATIENCE_MS = 40;
/** The order of an event that only pub/sub carries: a lease. */
const NOT_STORED = 0;

export class EventStream {
  private cursor = Infinity;
  private wanted = 0;
  private readonly reading = new SingleFlight(() => this.read());
  private waiting: { order: number; resolve(): void }[] = [];

  constructor(private readonly source: StreamSource) {}

  /** The order of the newest event that was emitted here. */
  get position(): number {
    return this.cursor;
  }

  /** Emits events from here on; the replay emits those before. */
  begin(head: number): void {
    this.cursor = head;
  }

  /** @param message JSON: [order of the event before, order, kind, payload] */
  onMessage(message: string): void {
    const [before, order, kind, payload] = anyList(JSON.parse(message));
    const entry = { order: number(order), kind: text(kind), payload };
    if (entry.order === NOT_STORED) return this.emit(entry);
    if (entry.order <= this.cursor) return;
    if (number(before) !== this.cursor || this.reading.isRunning) return void this.catchUp(entry.order);
    this.advance(entry);
  }

  /** Resolves when the events up to `order` were emitted, or could not be read; then they come later. */
  async passed(order: number): Promise<void> {
    if (order <= this.cursor) return;
    this.wanted = Math.max(this.wanted, order);
    let timer: NodeJS.Timeout | undefined;
    const emitted = new Promise<void>((resolve) => this.waiting.push({ order, resolve }));
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => void this.catchUp(order).then(resolve), PATIENCE_MS);
    });
    await Promise.race([emitted, late]);
    clearTimeout(timer);
  }

  /** @param head where a sweep found the end of the stream @param before the position when that sweep was sent */
  onHead(head: number, before: number): void {
    if (head < before && !this.reading.isRunning) {
      this.cursor = head;
      this.wanted = 0;
      this.source.onLost();
    } else if (head > this.cursor) void this.catchUp(head);
  }

  private catchUp(order: number): Promise<void> {
    this.wanted = Math.max(this.wanted, order);
    return this.reading.run();
  }

  private async read(): Promise<void> {
    try {
      while (this.cursor < this.wanted) {
        const goal = this.wanted;
        const page = await this.source.after(this.cursor, EVENT_PAGE);
        for (const entry of page) this.advance(entry);
        // An event that is not in the stream any more cannot be waited for.
        if (page.length === 0 && goal === this.wanted) this.wanted = this.cursor;
      }
    } catch (error) {
      this.source.onError(error);
    }
  }

  private emit(entry: StreamEntry): void {
    const event = eventOf(entry);
    if (event) this.source.emit(event);
  }

  private advance(entry: StreamEntry): void {
    const { order } = entry;
    if (order <= this.cursor) return;
    this.cursor = order;
    this.emit(entry);
    if (this.waiting.length === 0) return;
    const waiting = this.waiting;
    this.waiting = waiting.filter((each) => each.order > order);
    for (const each of waiting) if (each.order <= order) each.resolve();
  }
}

/** `undefined`: the confirmation has been forgotten meanwhile. */
export function eventOf({ kind, payload }: StreamEntry): StreamEvent | undefined {
  if (kind === 'decided') {
    if (!Array.isArray(payload)) return undefined;
    const stored = record(payload);
    return { kind, confirmation: decided(stored), appliedBy: stored.appliedBy };
  }
  if (kind === 'revoked' || kind === 'review') return { kind, userId: text(payload) };
  if (kind === 'lease') {
    const [taskId, nodeId, order] = anyList(payload);
    return { kind, taskId: text(taskId), nodeId: text(nodeId), order: number(order) };
  }
  const task = taskOfEvent(typeof payload === 'string' ? JSON.parse(payload) : payload);
  return task && { kind: 'task', task };
}
