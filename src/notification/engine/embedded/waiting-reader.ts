/**
 * Reads what waits for users who connect, in few calls of the store.
 *
 *  1. Readings that follow one another within `GATHER_MS` share a call. One that comes after a pause goes at once.
 *  2. What was read is remembered for `REMEMBERED_MS` or twice that, until something of the user changes (`changed`): a client
 *     whose handshake names its user subscribes right after it.
 */
import { clearTimeout, performance, setTimeout } from '../../pacing/time-source.js';
import type { Waiting } from '../engine.js';
import { toConfirmation, type WaitingRow } from './rows.js';

const GATHER_MS = 4;
/** The most users for whom one call reads. */
const MOST_USERS = 64;
const REMEMBERED_MS = 500;
/** How many users `recent` holds at most. Then it becomes `earlier`. */
const MOST_REMEMBERED = 5000;

interface Gathering {
  readonly userIds: string[];
  readonly rows: Promise<WaitingRow[]>;
  leave(): void;
}

export class WaitingReader {
  private gathering: Gathering | undefined;
  private leftAt = -Infinity;
  private recent = new Map<string, Promise<Waiting>>();
  private earlier: Map<string, Promise<Waiting>> = new Map();
  private forgetting: NodeJS.Timeout | undefined;

  /** @param read reads for several users at once */
  constructor(private readonly read: (userIds: readonly string[]) => Promise<WaitingRow[]>) {}

  of(userId: string): Promise<Waiting> {
    const known = this.recent.get(userId) ?? this.earlier.get(userId);
    if (known) return known;
    const waiting = this.gather(userId);
    this.remember(userId, waiting);
    waiting.catch(() => this.forget(userId, waiting));
    return waiting;
  }

  /** Something that waits for the user has changed, or the position of the user's channel. */
  changed(userId: string): void {
    this.recent.delete(userId);
    this.earlier.delete(userId);
  }

  /** Anything may have changed. */
  clear(): void {
    this.recent.clear();
    this.earlier.clear();
  }

  close(): void {
    this.clear();
    clearTimeout(this.forgetting);
    this.gathering?.leave();
  }

  private async gather(userId: string): Promise<Waiting> {
    const gathering = (this.gathering ??= this.begin());
    const index = gathering.userIds.push(userId) - 1;
    if (index + 1 >= MOST_USERS || performance.now() - this.leftAt >= GATHER_MS) gathering.leave();
    const row = (await gathering.rows)[index];
    if (!row) throw new Error('the store read for fewer users than it got');
    const { pending, ...waiting } = row;
    return { ...waiting, ...(pending && { pending: pending.map(toConfirmation) }) };
  }

  private begin(): Gathering {
    const userIds: string[] = [];
    let leave!: () => void;
    const rows = new Promise<WaitingRow[]>((resolve, reject) => {
      const timer = setTimeout(() => leave(), GATHER_MS);
      leave = () => {
        clearTimeout(timer);
        this.gathering = undefined;
        this.leftAt = performance.now();
        this.read(userIds).then(resolve, reject);
      };
    });
    return { userIds, rows, leave };
  }

  private remember(userId: string, waiting: Promise<Waiting>): void {
    if (this.recent.size >= MOST_REMEMBERED) this.age();
    this.recent.set(userId, waiting);
    this.forgetting ??= setTimeout(() => this.ageOnTime(), REMEMBERED_MS).unref();
  }

  private ageOnTime(): void {
    this.age();
    this.forgetting = this.earlier.size > 0 ? setTimeout(() => this.ageOnTime(), REMEMBERED_MS).unref() : undefined;
  }

  private age(): void {
    this.earlier = this.recent;
    this.recent = new Map();
  }

  private forget(userId: string, waiting: Promise<Waiting>): void {
    for (const remembered of [this.recent, this.earlier]) if (remembered.get(userId) === waiting) remembered.delete(userId);
  }
}
