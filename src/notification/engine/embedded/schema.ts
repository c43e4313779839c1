/**
 * The file on disk: its tables, how it is made, and how it is checked before it is trusted.
 *
 *  1. A new file is made complete under another name and then linked into place. A file under the real name that is empty or
 *     cut short is therefore damage. Damage is refused, never repaired by emptying.
 *  2. The whole file is held by SQLite's exclusive lock: by the operating system, so a dead process holds nothing.
 *     (Nothing here may open the file except SQLite: closing any other descriptor of it would drop that lock.)
 *  3. A decision takes its number from `decision_seq`; numbers only grow, and `meta.told` holds the number up to which decisions were emitted.
 */
import { accessSync, constants, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { ConfigurationError } from '../../notification.errors.js';
import { openSqlite, RESULT, SqliteError, type Sqlite } from './sqlite.js';

const APPLICATION_ID = 0x50726f6d;
const QUICK_CHECK_LIMIT = 32 * 1024 * 1024;

/**
 * What a prompt shows stands apart, so that a decision rewrites a small row whatever the prompt's size.
 * `NULL` deadlines and decision numbers keep rows out of the partial indexes that the clock, the purge and the replay walk.
 */
const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE confirmation (
    seq INTEGER PRIMARY KEY,
    callback_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    expiring_at INTEGER,
    on_timeout TEXT NOT NULL,
    on_timeout_by TEXT NOT NULL,
    key TEXT,
    fingerprint TEXT,
    state TEXT NOT NULL,
    decision_seq INTEGER,
    decided_at INTEGER,
    proceed INTEGER,
    feedback TEXT,
    choice TEXT,
    form_values TEXT,
    answered_by TEXT,
    reason TEXT
  );
  CREATE TABLE confirmation_prompt (seq INTEGER PRIMARY KEY, prompt TEXT NOT NULL);
  CREATE UNIQUE INDEX confirmation_id ON confirmation (callback_id);
  CREATE UNIQUE INDEX confirmation_key ON confirmation (user_id, key) WHERE key IS NOT NULL;
  CREATE INDEX confirmation_pending ON confirmation (seq) WHERE state = 'pending';
  CREATE INDEX confirmation_user ON confirmation (user_id, seq);
  CREATE INDEX confirmation_user_pending ON confirmation (user_id, seq) WHERE state = 'pending';
  CREATE INDEX confirmation_task ON confirmation (task_id, seq);
  CREATE INDEX confirmation_task_pending ON confirmation (task_id, seq) WHERE state = 'pending';
  CREATE INDEX confirmation_expires ON confirmation (expires_at) WHERE state = 'pending' AND expires_at IS NOT NULL;
  CREATE INDEX confirmation_expiring ON confirmation (expiring_at) WHERE state = 'pending' AND expiring_at IS NOT NULL;
  CREATE INDEX confirmation_decided ON confirmation (decision_seq) WHERE decision_seq IS NOT NULL;
  CREATE TABLE task (
    task_id TEXT PRIMARY KEY,
    user_id TEXT,
    cancelled_at INTEGER,
    cancelled_by TEXT,
    reason TEXT,
    last_used_at INTEGER NOT NULL
  );
  CREATE INDEX task_used ON task (last_used_at);
  CREATE TABLE revocation (user_id TEXT PRIMARY KEY, revoked_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE channel (channel TEXT PRIMARY KEY, head INTEGER NOT NULL, used_at INTEGER NOT NULL);
  CREATE INDEX channel_used ON channel (used_at);
  CREATE TABLE publication (
    channel TEXT NOT NULL,
    position INTEGER NOT NULL,
    message TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, position)
  ) WITHOUT ROWID;
  CREATE INDEX publication_created ON publication (created_at);
  CREATE TABLE acknowledged_message (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    message TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    acknowledged_at INTEGER
  );
  CREATE UNIQUE INDEX acknowledged_message_id ON acknowledged_message (message_id);
  CREATE INDEX acknowledged_message_waiting ON acknowledged_message (user_id, seq) WHERE acknowledged_at IS NULL;
  CREATE INDEX acknowledged_message_expires ON acknowledged_message (expires_at);
`;

/** Since format 2: webhook events. One of a decision names its confirmation, which does not change any more; one of a task holds the task. */
const NOTICES = `
  CREATE TABLE notice (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    confirmation_id TEXT,
    task TEXT,
    created_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
  );
  CREATE UNIQUE INDEX notice_id ON notice (id);
  CREATE INDEX notice_visible ON notice (visible_at);
`;
/** Since format 3. `via` is the door by which a decision came; of older decisions it is not known. `event` names a webhook event. */
const DOORS = `
  ALTER TABLE confirmation ADD COLUMN via TEXT;
  ALTER TABLE task ADD COLUMN cancelled_via TEXT;
  ALTER TABLE notice ADD COLUMN event TEXT;
`;
/** Since format 4: what an answer made of a proposal, when a device first showed the confirmation, until when it is hidden. */
const PROPOSALS = `
  ALTER TABLE confirmation ADD COLUMN edited TEXT;
  ALTER TABLE confirmation ADD COLUMN seen_at INTEGER;
  ALTER TABLE confirmation ADD COLUMN dismissed_until INTEGER;
`;
/** What each format adds to the one before it. A file of an older format gets the later steps at the start. */
const STEPS = [TABLES, NOTICES, DOORS, PROPOSALS];
const VERSION = STEPS.length;
const namesIn = (sql: string): (string | undefined)[] =>
  [...sql.matchAll(/CREATE (?:UNIQUE )?(?:TABLE|INDEX) (\w+)/g)].map(([, name]) => name);

/** @throws ConfigurationError when the folder or the file in it cannot be used */
export async function openStore(dataDir: string, openDatabase: (path: string) => Promise<Sqlite>): Promise<Sqlite> {
  if (dataDir === ':memory:') {
    const database = await openDatabase(dataDir);
    // A test's database in memory is opened again after a simulated crash.
    if (database.prepare<{ user_version: number }>('PRAGMA user_version').get()?.user_version === 0) createTables(database);
    return database;
  }
  const file = join(dataDir, 'notifications.db');
  const size = await prepareFolder(dataDir, file);
  try {
    const database = await openDatabase(file);
    // Before anything is read, so that no moment is unlocked and the WAL needs no shared memory.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    verify(database, file, size);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384');
    // The log is copied into the file at 8 MiB: later than by default, for pages that change often are then copied once.
    database.exec('PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 8388608');
    writeFileSync(join(dataDir, 'owner.pid'), `${process.pid}\n`, { mode: 0o600 });
    return database;
  } catch (error) {
    throw refusal(error, dataDir, file);
  }
}

/** @returns a line for the folder and one for the database when other users of the machine can reach them */
export function wideModes(dataDir: string): string[] {
  if (dataDir === ':memory:') return [];
  return [dataDir, join(dataDir, 'notifications.db')].flatMap((path) => {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) === 0) return [];
    return [`${path} has mode ${mode.toString(8)}: other users can reach it. chmod ${path === dataDir ? 700 : 600} closes it.`];
  });
}

/** @returns the file's size */
async function prepareFolder(dataDir: string, file: string): Promise<number> {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    if (!existsSync(file)) await createFile(file);
    accessSync(file, constants.R_OK | constants.W_OK);
    return statSync(file).size;
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`data folder ${dataDir} cannot be used: ${(error as Error).message}`);
  }
}

/** Invariant 1. */
async function createFile(file: string): Promise<void> {
  if (existsSync(`${file}-wal`))
    throw new ConfigurationError(`${file} is missing while ${file}-wal is there: restore it, or move that away to start empty`);
  const draft = `${file}.${randomUUID()}.new`;
  try {
    // SQLite gives its other files the mode of this one.
    writeFileSync(draft, '', { mode: 0o600 });
    const database = await openSqlite(draft);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    createTables(database);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    linkSync(draft, file);
  } catch (error) {
    // Another process was quicker: its lock decides.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(draft + suffix, { force: true });
  }
}

/** By `exec` alone: libsql keeps a closed file's lock for as long as a prepared statement of it is not collected. */
function createTables(database: Sqlite): void {
  database.exec(`BEGIN; ${STEPS.join('')}
    INSERT INTO meta VALUES ('epoch', '${randomUUID()}'), ('floor', 0), ('told', 0);
    PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${VERSION}; COMMIT`);
}

function verify(database: Sqlite, file: string, size: number): void {
  const pragma = (name: string): unknown =>
    Object.values(database.prepare<Record<string, unknown>>(`PRAGMA ${name}`).get() ?? {})[0];
  const id = pragma('application_id');
  if (size === 0) throw new ConfigurationError(`${file} is empty: restore it, or move it away to start empty`);
  if (id !== APPLICATION_ID) throw new ConfigurationError(`${file} was not written by this service`);
  const version = Number(pragma('user_version'));
  if (version < 1 || version > STEPS.length)
    throw new ConfigurationError(`${file} has format ${version}; this version of the service reads ${VERSION}`);
  const names = new Set(
    database
      .prepare<{ name: string }>('SELECT name FROM sqlite_master')
      .all()
      .map(({ name }) => name),
  );
  const missing = namesIn(STEPS.slice(0, version).join('')).filter((name) => name !== undefined && !names.has(name));
  if (missing.length > 0) throw new ConfigurationError(`${file} is damaged: it lacks ${missing.join(', ')}`);
  // Reading all of a large file would cost more than the start may take; the newest rows stand where a cut would be.
  for (const table of ['confirmation', 'confirmation_prompt', 'acknowledged_message', 'task', 'channel'])
    database.prepare(`SELECT * FROM ${table} ORDER BY rowid DESC LIMIT 1`).get();
  const verdict = size <= QUICK_CHECK_LIMIT ? pragma('quick_check(1)') : 'ok';
  if (verdict !== 'ok') throw new ConfigurationError(`${file} is damaged: ${String(verdict).replaceAll('\n', ' ')}`);
  if (version !== VERSION) database.exec(`BEGIN; ${STEPS.slice(version).join('')} PRAGMA user_version = ${VERSION}; COMMIT`);
}

function refusal(error: unknown, dataDir: string, file: string): unknown {
  if (!(error instanceof SqliteError)) return error;
  if (error.resultCode === RESULT.BUSY)
    return new ConfigurationError(`data folder ${dataDir} is in use by another process${ownerOf(dataDir)}`);
  return new ConfigurationError(`${file} cannot be used: ${error.message}`);
}

/** For the message only; the lock is SQLite's. */
function ownerOf(dataDir: string): string {
  const file = join(dataDir, 'owner.pid');
  return existsSync(file) ? ` (pid ${readFileSync(file, 'utf8').trim()})` : '';
}
