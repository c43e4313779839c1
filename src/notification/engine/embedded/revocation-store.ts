/**
 * Revocations, in the worker: the moment before which a user's tokens do not count. They are kept for ever, because the store
 * does not know how long a token stays valid.
 */
import type { UnitOfWork } from './unit-of-work.js';
import type { Sqlite, Statement } from './sqlite.js';

export class RevocationStore {
  private readonly byUser: Statement<{ revoked_at: number }>;
  private readonly save: Statement<never>;
  private readonly some: Statement<{ user_id: string; revoked_at: number }>;

  constructor(
    database: Sqlite,
    private readonly unit: UnitOfWork,
  ) {
    this.byUser = database.prepare('SELECT revoked_at FROM revocation WHERE user_id = ?');
    this.save = database.prepare('INSERT OR REPLACE INTO revocation (user_id, revoked_at) VALUES (?, ?)');
    this.some = database.prepare('SELECT user_id, revoked_at FROM revocation LIMIT ?');
  }

  revoke(userId: string): number {
    const revokedAt = this.unit.now();
    this.save.run(userId, revokedAt);
    this.unit.emit({ kind: 'revoked', userId, revokedAt });
    return revokedAt;
  }

  revokedAt(userId: string): number | undefined {
    return this.byUser.get(userId)?.revoked_at;
  }

  /** All of them, unless there are more than `most`. */
  all(most: number): [userId: string, revokedAt: number][] | undefined {
    const rows = this.some.all(most + 1);
    return rows.length > most ? undefined : rows.map(({ user_id, revoked_at }) => [user_id, revoked_at]);
  }
}
