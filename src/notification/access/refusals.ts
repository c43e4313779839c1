/**
 * Writes the first refusal of a kind at once, and those that repeat it as one count a minute. A kind is an actor, an
 * address (an IPv6 /64 counts as one), an attempt and a code.
 *
 *  1. Every refusal is in an entry of its own or in a count.
 *  2. The kinds that are remembered are bounded. The oldest makes room, and its count is written then.
 */
import type { AuditEntry } from './audit-entry.js';
import { networkOf } from './address-limits.js';
import { systemClock, type Clock, type ClockTimer } from '../pacing/clock.js';

/** An entry without its time, which is added when it is written. */
export type AuditRecord = Omit<AuditEntry, 'at'>;

const EVERY_MS = 60_000;
const MAX_KINDS = 10_000;

interface Kind {
  /** The newest of them. */
  record: AuditRecord;
  /** Those without an entry. */
  count: number;
}

export class Refusals {
  private readonly kinds = new Map<string, Kind>();
  private timer: ClockTimer | undefined;

  constructor(
    private readonly write: (record: AuditRecord) => void,
    private readonly everyMs = EVERY_MS,
    private readonly clock: Clock = systemClock,
  ) {}

  add(record: AuditRecord): void {
    const { by, means, address = '', what, code } = record;
    const key = JSON.stringify([by, means, networkOf(address), what, code]);
    const known = this.kinds.get(key);
    if (known) {
      known.record = record;
      known.count += 1;
      return;
    }
    this.write(record);
    this.kinds.set(key, { record, count: 0 });
    const [oldest] = this.kinds;
    if (this.kinds.size > MAX_KINDS && oldest) this.forget(...oldest);
    this.timer ??= this.clock.every(this.everyMs, () => this.flush());
  }

  /** Writes the counts. A kind that has not repeated is forgotten. */
  flush(): void {
    for (const [key, kind] of this.kinds) {
      if (kind.count === 0) this.kinds.delete(key);
      this.writeCount(kind);
    }
    if (this.kinds.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }

  close(): void {
    for (const each of [...this.kinds]) this.forget(...each);
    this.timer?.cancel();
    this.timer = undefined;
  }

  private forget(key: string, kind: Kind): void {
    this.kinds.delete(key);
    this.writeCount(kind);
  }

  private writeCount(kind: Kind): void {
    const { callbackId: _callbackId, ...alike } = kind.record;
    if (kind.count > 0) this.write({ ...alike, count: kind.count });
    kind.count = 0;
  }
}
