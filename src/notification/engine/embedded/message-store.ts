/**
 * Publications and acknowledged messages, in the worker.
 *
 * Positions. The epoch is the file's own, random when it was made (for `:memory:`: at every start). Offsets of a channel
 * only grow, even over the purge of its row: `meta.floor` is the highest head of all purged channels, a channel
 * without a row stands at the floor, and a row begins there. So a position given for a channel that nothing was
 * published to can be recovered from later, and one from before a purge lacks an offset: incomplete, never a gap.
 */
import {
  PAGE_BYTES,
  type AcknowledgedMessage,
  type AckResult,
  type HistoryRequest,
  type HistoryResult,
  type Page,
  type Scope,
  type StreamPosition,
} from '../engine.js';
import type { JsonObject } from '../../../protocol/confirmation.js';
import type { HistoryEntry } from '../broker.js';
import { parseLines } from './publication-journal.js';
import { readPage } from './read-page.js';
import type { UnitOfWork } from './unit-of-work.js';
import type { Sqlite, Statement } from './sqlite.js';

const STEP_ROWS = 500;
/** How many publications are read at once. */
const READ_ROWS = 25;

export interface MessageLimits {
  retentionMs: number;
  historySize: number;
  historyTtlMs: number;
}

interface MessageRow {
  seq: number;
  message_id: string;
  user_id: string;
  message: string;
  expires_at: number;
  acknowledged_at: number | null;
}

export class MessageStore {
  private readonly epoch: string;
  /** For how long an unused channel is kept; up to a tenth longer, as `used_at` is coarse. */
  private readonly keptMs: number;
  /** A channel is trimmed when it comes to a multiple of this offset. */
  private readonly trimEvery: number;
  private readonly floor: Statement<{ value: number }>;
  private readonly raiseFloor: Statement<never>;
  private readonly channel: Statement<{ head: number }>;
  private readonly heads: Statement<{ channel: string; head: number }>;
  private readonly advance: Statement<{ head: number }>;
  private readonly begin: Statement<{ head: number }>;
  private readonly move: Statement<never>;
  private readonly place: Statement<never>;
  private readonly insertPublication: Statement<never>;
  private readonly trim: Statement<never>;
  private readonly after: Statement<{ position: number; message: string }>;
  private readonly outdatedPublications: Statement<{ channel: string; position: number }>;
  private readonly removePublication: Statement<never>;
  private readonly idleChannels: Statement<{ channel: string; head: number }>;
  private readonly removeChannel: Statement<never>;
  private readonly byId: Statement<MessageRow>;
  private readonly insert: Statement<never>;
  private readonly acknowledge: Statement<never>;
  private readonly waiting: Statement<MessageRow>;
  private readonly outdatedMessages: Statement<{ seq: number; acknowledged_at: number | null }>;
  private readonly removeMessage: Statement<never>;

  constructor(
    database: Sqlite,
    private readonly unit: UnitOfWork,
    private readonly limits: MessageLimits,
  ) {
    this.keptMs = Math.max(limits.retentionMs, limits.historyTtlMs);
    this.trimEvery = Math.max(1, Math.floor(limits.historySize / 16));
    this.epoch = database.prepare<{ value: string }>(`SELECT value FROM meta WHERE name = 'epoch'`).get()?.value ?? '';
    this.floor = database.prepare(`SELECT value FROM meta WHERE name = 'floor'`);
    this.raiseFloor = database.prepare(`UPDATE meta SET value = max(value, ?) WHERE name = 'floor'`);
    this.channel = database.prepare('SELECT head FROM channel WHERE channel = ?');
    this.heads = database.prepare(
      'SELECT channel, head FROM json_each(?) AS wanted CROSS JOIN channel ON channel = wanted.value',
    );
    // `used_at` has an index, so it is written only when it is old.
    this.advance = database.prepare('UPDATE channel SET head = head + 1 WHERE channel = ? AND used_at > ? RETURNING head');
    this.begin = database.prepare(`INSERT INTO channel SELECT ?, value + 1, ? FROM meta WHERE name = 'floor'
      ON CONFLICT (channel) DO UPDATE SET head = head + 1, used_at = excluded.used_at RETURNING head`);
    this.move = database.prepare('UPDATE channel SET head = ? WHERE channel = ? AND head < ? AND used_at > ?');
    this.place = database.prepare(`INSERT INTO channel VALUES (?, ?, ?)
      ON CONFLICT (channel) DO UPDATE SET head = excluded.head, used_at = excluded.used_at`);
    this.insertPublication = database.prepare('INSERT INTO publication VALUES (?, ?, ?, ?)');
    this.trim = database.prepare('DELETE FROM publication WHERE channel = ? AND position <= ?');
    this.after = database.prepare(
      'SELECT position, message FROM publication WHERE channel = ? AND position > ? AND created_at > ? ORDER BY position LIMIT ?',
    );
    this.outdatedPublications = database.prepare(`SELECT channel, position FROM publication INDEXED BY publication_created
      WHERE created_at <= ? ORDER BY created_at LIMIT ${STEP_ROWS}`);
    this.removePublication = database.prepare('DELETE FROM publication WHERE channel = ? AND position = ?');
    this.idleChannels = database.prepare(
      `SELECT channel, head FROM channel INDEXED BY channel_used WHERE used_at <= ? ORDER BY used_at LIMIT ${STEP_ROWS}`,
    );
    this.removeChannel = database.prepare('DELETE FROM channel WHERE channel = ?');
    this.byId = database.prepare('SELECT * FROM acknowledged_message WHERE message_id = ?');
    this.insert = database.prepare(
      'INSERT INTO acknowledged_message (message_id, user_id, message, expires_at) VALUES (?, ?, ?, ?)',
    );
    this.acknowledge = database.prepare('UPDATE acknowledged_message SET acknowledged_at = ? WHERE seq = ?');
    this.waiting = database.prepare(`SELECT * FROM acknowledged_message INDEXED BY acknowledged_message_waiting
      WHERE acknowledged_at IS NULL AND user_id = ? AND seq > ? AND expires_at > ? ORDER BY seq LIMIT ?`);
    this.outdatedMessages =
      database.prepare(`SELECT seq, acknowledged_at FROM acknowledged_message INDEXED BY acknowledged_message_expires
      WHERE expires_at <= ? ORDER BY expires_at LIMIT ${STEP_ROWS}`);
    this.removeMessage = database.prepare('DELETE FROM acknowledged_message WHERE seq = ?');
  }

  publish(channel: string, message: string): StreamPosition {
    const now = this.unit.now();
    const head = (this.advance.get(channel, now - this.keptMs / 10) ?? this.begin.get(channel, now))?.head;
    if (head === undefined) throw new Error('the store has lost its floor');
    this.keepPublication(channel, head, message, now);
    return { epoch: this.epoch, offset: head };
  }

  /** Takes publications that were delivered ahead of the store, and leaves out those that it has had. */
  append(lines: string): void {
    const now = this.unit.now();
    for (const { channel, offset, text } of parseLines(lines))
      if (this.moveHead(channel, offset, now)) this.keepPublication(channel, offset, text, now);
  }

  position(channel: string): StreamPosition {
    return { epoch: this.epoch, offset: this.head(channel) };
  }

  /** Reads the positions of some channels at once. */
  positions(channels: readonly string[]): (channel: string) => StreamPosition {
    const heads = new Map(this.heads.all(JSON.stringify(channels)).map(({ channel, head }) => [channel, head]));
    const floor = heads.size < channels.length ? (this.floor.get()?.value ?? 0) : 0;
    return (channel) => ({ epoch: this.epoch, offset: heads.get(channel) ?? floor });
  }

  history({ channel, since, limit }: HistoryRequest): HistoryResult {
    const offset = this.head(channel);
    const head = { epoch: this.epoch, offset };
    // Older publications may not be trimmed yet.
    const oldestKept = offset - this.limits.historySize;
    if (since.epoch !== this.epoch || since.offset > offset || since.offset < oldestKept) return { complete: false, head };
    const oldest = this.unit.now() - this.limits.historyTtlMs;
    const publications: HistoryEntry[] = [];
    const goal = Math.min(offset, since.offset + limit);
    for (let at = since.offset, bytes = 0; at < goal && bytes < PAGE_BYTES;) {
      const rows = this.after.all(channel, at, oldest, Math.min(goal - at, READ_ROWS));
      if (rows.length === 0) return { complete: false, head };
      for (const { position, message } of rows) {
        if (position !== at + 1) return { complete: false, head };
        at = position;
        bytes += message.length;
        publications.push({ text: message, offset: position });
        if (bytes >= PAGE_BYTES) break;
      }
    }
    return { complete: true, publications, head };
  }

  /** @returns when it expires; nothing for a repetition */
  keep(messageId: string, userId: string, message: string, ttlMs: number): number | undefined {
    if (this.byId.get(messageId)) return undefined;
    const expiresAt = this.unit.now() + ttlMs;
    this.insert.run(messageId, userId, message, expiresAt);
    this.unit.counters.unacknowledged += 1;
    return expiresAt;
  }

  ack(messageId: string, scope: Scope): AckResult {
    const row = this.byId.get(messageId);
    const now = this.unit.now();
    if (!row || row.expires_at <= now || !(scope === 'all' || scope.includes(row.user_id))) return 'not_found';
    if (row.acknowledged_at !== null) return 'repeated';
    this.acknowledge.run(now, row.seq);
    this.unit.counters.unacknowledged -= 1;
    this.unit.emit({ kind: 'acknowledged', messageId, userId: row.user_id });
    return 'acknowledged';
  }

  isAcknowledged(messageId: string): boolean {
    return (this.byId.get(messageId)?.acknowledged_at ?? null) !== null;
  }

  unacknowledged(userId: string, limit: number, cursor?: string): Page<AcknowledgedMessage> {
    // Every connecting user is looked up, and most have no message.
    if (this.unit.counters.unacknowledged === 0) return { items: [] };
    const page = readPage(
      limit,
      Number(cursor ?? 0),
      (after, rows) => this.waiting.all(userId, after, this.unit.now(), rows),
      ({ message }) => message.length,
    );
    return {
      items: page.rows.map((row) => ({
        messageId: row.message_id,
        userId: row.user_id,
        message: JSON.parse(row.message) as JsonObject,
        expiresAt: row.expires_at,
      })),
      ...(page.cursor !== undefined && { cursor: page.cursor }),
    };
  }

  /** @returns whether there may be more */
  purge(): boolean {
    const now = this.unit.now();
    const messages = this.outdatedMessages.all(now);
    for (const { seq, acknowledged_at } of messages) {
      this.removeMessage.run(seq);
      if (acknowledged_at === null) this.unit.counters.unacknowledged -= 1;
    }
    const publications = this.outdatedPublications.all(now - this.limits.historyTtlMs);
    for (const { channel, position } of publications) this.removePublication.run(channel, position);
    if (messages.length === STEP_ROWS || publications.length === STEP_ROWS) return true;
    // The publications of such a channel were removed above.
    const idle = this.idleChannels.all(now - this.keptMs * 1.1);
    for (const { channel, head } of idle) this.remove(channel, head);
    return idle.length === STEP_ROWS;
  }

  /** Forgets a channel: its history is gone, and offsets given for it lie before whatever is published next. */
  forget(channel: string): void {
    const head = this.channel.get(channel)?.head;
    if (head === undefined) return;
    this.trim.run(channel, head);
    this.remove(channel, head);
  }

  /** A channel without publications. */
  private remove(channel: string, head: number): void {
    this.raiseFloor.run(head);
    this.removeChannel.run(channel);
    this.unit.emit({ kind: 'forgotten' });
  }

  private keepPublication(channel: string, offset: number, text: string, now: number): void {
    const { historySize } = this.limits;
    if (historySize > 0) this.insertPublication.run(channel, offset, text, now);
    if (offset % this.trimEvery === 0) this.trim.run(channel, offset - historySize);
  }

  /** @returns whether the offset is a new one */
  private moveHead(channel: string, offset: number, now: number): boolean {
    if (this.move.run(offset, channel, offset, now - this.keptMs / 10) > 0) return true;
    // It was not used for a while, or has no row, or has had the offset.
    if (this.head(channel) >= offset) return false;
    this.place.run(channel, offset, now);
    return true;
  }

  private head(channel: string): number {
    return this.channel.get(channel)?.head ?? this.floor.get()?.value ?? 0;
  }
}
