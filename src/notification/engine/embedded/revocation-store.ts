/**
 * Revocations, in the worker: since when which user's older tokens count for nothing. They are kept for ever: how long
 * a token would still be valid is not known here.
 */
import type { Ledger } from './unit-of-work.js';
import type { Sqlite, Statement } from './sqlite.js';

export class RevocationStore {
  private readonly byUser: Statement<{ revoked_at: number }>;
  private readonly save: Statement<never>;

  constructor(
    database: Sqlite,
    private readonly ledger: Ledger,
  ) {
    this.byUser = database.prepare('SELECT revoked_at FROM revocation WHERE user_id = ?');
    this.save = database.prepare('INSERT OR REPLACE INTO revocation (user_id, revoked_at) VALUES (?, ?)');
  }

  revoke(userId: string): number {
    const revokedAt = this.ledger.now();
    this.save.run(userId, revokedAt);
    this.ledger.emit({ kind: 'revoked', userId });
    return revokedAt;
  }

  revokedAt(userId: string): number | undefined {
    return this.byUser.get(userId)?.revoked_at;
  }
}
