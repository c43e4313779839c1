/**
 * What waits for users who connect, in the worker. One statement of each kind serves all users of a call: a crowd reconnects,
 * and a statement costs more than the few rows that it finds for one user.
 */
import { userChannel } from '../../../protocol/channels.js';
import { PAGE_BYTES } from '../engine.js';
import type { ConfirmationTable, PendingKey } from './confirmation-table.js';
import type { MessageStore } from './message-store.js';
import type { PendingRow, WaitingRow } from './rows.js';
import type { UnitOfWork } from './unit-of-work.js';

/** A user with more pending confirmations is sent them page by page. */
const FEW = 5;
/** How many confirmations are read at once. */
const STEP_ROWS = 32;
/** One call brings confirmations of about this size. Those of further users are left out. */
const MOST_BYTES = 8 * PAGE_BYTES;

export class WaitingStore {
  constructor(
    private readonly table: ConfirmationTable,
    private readonly messages: MessageStore,
    private readonly unit: UnitOfWork,
  ) {}

  /** @returns what waits for each user, in the order in which they are given */
  of(userIds: readonly string[]): WaitingRow[] {
    const positionOf = this.messages.positions(userIds.map(userChannel));
    const pending = new Map(userIds.map((userId) => [userId, [] as PendingKey[]]));
    for (const row of this.table.pendingOfUsers.all(JSON.stringify(userIds), this.unit.readUntil()))
      pending.get(row.user_id)?.push(row);
    const rows = this.rowsOf([...pending.values()].filter((own) => own.length <= FEW).flat());
    return userIds.map((userId) => {
      const own = pending.get(userId) ?? [];
      const read = own.flatMap(({ seq }) => rows.get(seq) ?? []);
      return {
        position: positionOf(userChannel(userId)),
        pendingIds: own.map(({ callback_id }) => callback_id),
        ...(read.length === own.length && { pending: read }),
        hasMessages: this.messages.unacknowledged(userId, 1).items.length > 0,
      };
    });
  }

  /** As many of them, from the first on, as have about `MOST_BYTES`. */
  private rowsOf(pending: readonly PendingKey[]): Map<number, PendingRow> {
    const rows = new Map<number, PendingRow>();
    for (let read = 0, bytes = 0; read < pending.length && bytes < MOST_BYTES; read += STEP_ROWS) {
      const step = pending.slice(read, read + STEP_ROWS).map(({ seq }) => seq);
      for (const row of this.table.pendingBySeq.all(JSON.stringify(step))) {
        rows.set(row.seq, row);
        bytes += row.prompt.length;
      }
    }
    return rows;
  }
}
