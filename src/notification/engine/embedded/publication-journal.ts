/**
 * Publications that are delivered before the store has them. The main thread writes each one into a file of the data folder.
 *
 *  1. A publication is in the file before it is delivered, so that it survives `kill -9` of this process. The file is not
 *     synced: `journal-recovery.ts` recognises that the machine stopped.
 *  2. The lines go to the store with its next batch, before the calls of that batch. They are kept here until the store has
 *     committed them. The file is emptied when the store holds all of it.
 *  3. An offset follows a known head: one that the store has given, or that was given here since. Nothing is known any more
 *     when the store has forgotten channels, or when another thread has opened it.
 *  4. The file and the known heads are bounded. What finds no place is left to the store, and its caller waits.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamPosition } from '../broker.js';
import { clearTimeout, performance, setTimeout } from '../../pacing/time-source.js';

/** Beside the database, and named so that it is copied with it. */
export const JOURNAL_FILE = 'notifications.db-publications';

const MAX_BYTES = 524_288;
const MAX_HEADS = 50_000;
/** Lines wait so long for a call with which they go to the store, unless there are more than `MUCH` bytes of them. */
const GATHER_MS = 100;
const MUCH = 65_536;
/** A file of more than `MUCH` is emptied as soon as the store holds it, a smaller one at most once in this time. */
const EMPTY_EVERY_MS = 1000;

export interface JournaledPublication {
  channel: string;
  offset: number;
  /** The message as JSON, an object. */
  text: string;
}

const LINE = /^\[(\d+),("(?:[^"\\]|\\.)*"),(\{.*\})\]$/s;

export const lineOf = ({ channel, offset, text }: JournaledPublication): string =>
  `[${offset},${JSON.stringify(channel)},${text}]\n`;

/** @param lines whole lines @throws TypeError for a line that `lineOf` has not made */
export function parseLines(lines: string): JournaledPublication[] {
  const publications: JournaledPublication[] = [];
  for (const line of lines.split('\n').slice(0, -1)) {
    const [, offset, channel, text] = LINE.exec(line) ?? [];
    if (channel === undefined || text === undefined) throw new TypeError('a line of the journal is damaged');
    publications.push({ channel: JSON.parse(channel) as string, offset: Number(offset), text });
  }
  return publications;
}

/**
 * `off`: nothing is journaled. `held`: the store has no room, or has not said that it has. `torn`: the file ends in a part
 * of a line, and must be emptied.
 */
type Phase = 'off' | 'held' | 'open' | 'torn';

export class PublicationJournal {
  private phase: Phase = 'off';
  private readonly heads = new Map<string, StreamPosition>();
  private file: number | undefined;
  private size = 0;
  private emptiedAt = -Infinity;
  /** Lines that the store has not been given, and lines that it has not committed. */
  private waiting = '';
  private sent = '';

  private timer: NodeJS.Timeout | undefined;
  private readonly path: string;

  /**
   * @param onDue is called when the lines are to be taken; may be called while they cannot
   * @param onFailure gets a line for the log
   */
  constructor(
    dataDir: string,
    private readonly onDue: () => void,
    private readonly onFailure: (message: string) => void,
  ) {
    this.path = join(dataDir, JOURNAL_FILE);
  }

  /** A thread has opened the store. @param lines what the file holds; absent: nothing is to be journaled */
  begin(lines: string | undefined): void {
    this.phase = lines === undefined ? 'off' : 'held';
    this.heads.clear();
    this.size = Buffer.byteLength(lines ?? '');
    this.waiting = lines ?? '';
    this.sent = '';
    this.gather();
  }

  /** The store has published at this position. */
  learn(channel: string, position: StreamPosition): void {
    this.noteHead(channel, position);
    if (this.phase === 'held') this.phase = 'open';
  }

  /** The store has said that the channel stands at this position. */
  noteHead(channel: string, position: StreamPosition): void {
    if (this.phase === 'off') return;
    this.heads.set(channel, position);
    const [oldest] = this.heads.size > MAX_HEADS ? this.heads.keys() : [];
    if (oldest !== undefined) this.heads.delete(oldest);
  }

  /** Where the channel stands, if that is known here and the store holds everything that was delivered. */
  headOf(channel: string): StreamPosition | undefined {
    return this.isStored ? this.heads.get(channel) : undefined;
  }

  /** The store has forgotten channels. */
  forgetHeads(): void {
    this.heads.clear();
  }

  /** @returns where the publication stands; `undefined` when it is left to the store */
  add(channel: string, text: string): StreamPosition | undefined {
    const head = this.phase === 'open' ? this.heads.get(channel) : undefined;
    if (!head) return undefined;
    const position = { epoch: head.epoch, offset: head.offset + 1 };
    const line = lineOf({ channel, offset: position.offset, text });
    if (!this.write(line)) return undefined;
    this.heads.set(channel, position);
    this.waiting += line;
    this.gather();
    return position;
  }

  /** Whether the store is to be given something at once. */
  get isUrgent(): boolean {
    return this.phase === 'open' && this.waiting.length > MUCH;
  }

  /** Whether the store holds everything. */
  get isStored(): boolean {
    return this.waiting === '' && this.sent === '';
  }

  /** @returns the lines that the store is to be given next; '' if there are none */
  take(): string {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sent = this.waiting;
    this.waiting = '';
    return this.sent;
  }

  /** The store has committed what was taken. @param hasRoom whether it takes what is new */
  committed(hasRoom: boolean): void {
    this.sent = '';
    const isDue = this.phase === 'torn' || this.size > MUCH || performance.now() - this.emptiedAt > EMPTY_EVERY_MS;
    if (this.waiting === '' && isDue) this.empty();
    if (this.phase === 'held' || this.phase === 'open') this.phase = hasRoom ? 'open' : 'held';
    this.gather();
  }

  /** The store has not committed what was taken: it gets it again. */
  failed(): void {
    this.waiting = this.sent + this.waiting;
    this.sent = '';
    if (this.phase === 'open') this.phase = 'held';
    this.gather();
  }

  close(): void {
    clearTimeout(this.timer);
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
    this.phase = 'off';
    this.heads.clear();
  }

  private gather(): void {
    if (this.isUrgent) this.onDue();
    else if (this.waiting !== '') this.timer ??= setTimeout(() => this.endGathering(), GATHER_MS);
  }

  private endGathering(): void {
    this.timer = undefined;
    this.onDue();
  }

  private write(line: string): boolean {
    const bytes = Buffer.byteLength(line);
    if (this.size + bytes > MAX_BYTES) return false;
    try {
      if (writeSync(this.opened(), line) === bytes) {
        this.size += bytes;
        return true;
      }
      this.onFailure('the journal of publications took only a part of a line');
    } catch (error) {
      this.onFailure(`the journal of publications cannot be written: ${(error as Error).message}`);
    }
    this.cut(this.size);
    return false;
  }

  private opened(): number {
    return (this.file ??= openSync(this.path, 'a', 0o600));
  }

  private empty(): void {
    if (this.cut(0) && this.phase === 'torn') this.phase = 'held';
    this.emptiedAt = performance.now();
  }

  /** @returns whether the file has this size now */
  private cut(size: number): boolean {
    if (this.size === size && this.file === undefined) return true;
    try {
      ftruncateSync(this.opened(), size);
      this.size = size;
      return true;
    } catch (error) {
      this.onFailure(`the journal of publications cannot be cut: ${(error as Error).message}`);
      this.phase = 'torn';
      return false;
    }
  }
}
