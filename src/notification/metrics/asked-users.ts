/**
 * How many prompts each person got within about the last hour. No user becomes a label: only how many persons there were and
 * the most that one of them got.
 *
 * An hour that slides is estimated from two fixed ones: the present one, and the share of the one before it that still counts.
 */
import { performance } from '../pacing/time-source.js';

const HOUR_MS = 3_600_000;
/** Persons of an hour. Further ones are not counted. */
const MAX_USERS = 20_000;

export class AskedUsers {
  private present = new Map<string, number>();
  private before: ReadonlyMap<string, number> = new Map();
  private startedAt: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.startedAt = now();
  }

  /** A person is asked. */
  add(userId: string): void {
    this.turn();
    const asked = this.present.get(userId);
    if (asked !== undefined || this.present.size < MAX_USERS) this.present.set(userId, (asked ?? 0) + 1);
  }

  /** @returns `users`: persons who were asked; `most`: the most prompts that one of them got */
  read(): { users: number; most: number } {
    this.turn();
    const share = 1 - (this.now() - this.startedAt) / HOUR_MS;
    let [users, most] = [this.present.size, 0];
    for (const [userId, asked] of this.present) most = Math.max(most, asked + share * (this.before.get(userId) ?? 0));
    for (const [userId, asked] of this.before) {
      if (this.present.has(userId)) continue;
      users += share;
      most = Math.max(most, share * asked);
    }
    return { users: Math.round(users), most: Math.round(most) };
  }

  /** Begins a new hour when the present one is over. */
  private turn(): void {
    const passed = Math.floor((this.now() - this.startedAt) / HOUR_MS);
    if (passed < 1) return;
    this.before = passed === 1 ? this.present : new Map();
    this.present = new Map();
    this.startedAt += passed * HOUR_MS;
  }
}
