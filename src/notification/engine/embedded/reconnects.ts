/** Who has come back soon after a connection had ended, and how often within the hour. */
import { RECONNECT_WITHIN_MS, RECONNECTS_FOR_MS } from '../presence.js';
import { monotonicMs } from '../../pacing/time-source.js';

/** Users of whom this is known. The one who left longest ago is forgotten first. */
const MAX_USERS = 10_000;

interface Absence {
  /** Connections that have ended and have not been replaced. */
  ended: number;
  endedAt: number;
  reconnects: number;
  /** When the first of the reconnects was counted. */
  since: number;
}

export class Reconnects {
  private readonly users = new Map<string, Absence>();

  constructor(private readonly now: () => number = monotonicMs) {}

  /** A connection of the user has ended. */
  left(userId: string): void {
    const known = this.users.get(userId) ?? { ended: 0, endedAt: 0, reconnects: 0, since: 0 };
    known.ended = this.isRecent(known) ? known.ended + 1 : 1;
    known.endedAt = this.now();
    this.users.delete(userId);
    this.users.set(userId, known);
    const [oldest] = this.users.keys();
    if (this.users.size > MAX_USERS && oldest !== undefined) this.users.delete(oldest);
  }

  /** A connection of the user begins. @returns whether it replaces one that has just ended */
  came(userId: string): boolean {
    const known = this.users.get(userId);
    if (!known || known.ended === 0 || !this.isRecent(known)) return false;
    known.ended -= 1;
    if (this.count(userId) === 0) [known.reconnects, known.since] = [0, this.now()];
    known.reconnects += 1;
    return true;
  }

  count(userId: string): number {
    const known = this.users.get(userId);
    return known && this.now() - known.since < RECONNECTS_FOR_MS ? known.reconnects : 0;
  }

  private isRecent({ endedAt }: Absence): boolean {
    return this.now() - endedAt < RECONNECT_WITHIN_MS;
  }
}
