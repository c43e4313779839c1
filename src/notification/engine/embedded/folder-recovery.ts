/**
 * What the last run has left in the data folder, found out before the store is used.
 *
 *  1. While a store is open, the database holds a mark: the id of the machine's boot. An orderly end removes it.
 *  2. A mark of this boot: the process has ended alone, so the journal of publications is whole. Its lines go to the store again.
 *  3. A mark of another boot, or a journal that is gone or damaged: what was delivered last may be stored nowhere. Every
 *     channel begins a new epoch, so that no position from before hides a gap.
 *  4. A copy of the folder begins a new epoch as well. The journal's lines have no place in it.
 *  5. Where the system gives no boot id, nothing is journaled.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkFolder } from './folder-witness.js';
import { JOURNAL_FILE, parseLines } from './publication-journal.js';
import type { Sqlite } from './sqlite.js';

const COPIED =
  'the data folder was copied or restored since the last start: what was stored after the copy was made is not in it; ' +
  'every channel begins a new epoch, so that clients learn of it';
const LOSSY =
  'the machine stopped while the service was running, or its journal of publications was removed: what was delivered last may ' +
  'not be stored; every channel begins a new epoch, so that clients learn of it';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const NEWLINE = 10;

export interface RecoveredFolder {
  /** Lines of the journal that the store may lack. Absent: nothing is to be journaled. */
  journaled?: string;
  warnings: string[];
}

export function recoverFolder(database: Sqlite, dataDir: string): RecoveredFolder {
  const isCopy = checkFolder(database, dataDir);
  const warnings = isCopy ? [COPIED] : [];
  const boot = readBootId();
  const mark = database.prepare<{ value: string }>(`SELECT value FROM meta WHERE name = 'journal'`).get()?.value;
  if (boot === undefined && mark === undefined) return { warnings };
  const file = join(dataDir, JOURNAL_FILE);
  const needsNoLines = mark === undefined || isCopy;
  const lines = needsNoLines ? '' : mark === boot ? readWholeLines(file) : undefined;
  if (lines === undefined) warnings.push(LOSSY);
  try {
    if (lines) truncateSync(file, Buffer.byteLength(lines));
    else writeFileSync(file, '', { mode: 0o600 });
    if (lines === undefined) database.exec(`UPDATE meta SET value = '${randomUUID()}' WHERE name = 'epoch'`);
    if (mark !== boot) setMark(database, boot);
  } catch (error) {
    // The disk is full, perhaps. Nothing depends on the journal yet.
    if (!needsNoLines) throw error;
    return { warnings };
  }
  return { ...(boot !== undefined && { journaled: lines ?? '' }), warnings };
}

/** An orderly end: the store holds every publication. */
export function endJournal(database: Sqlite, dataDir: string): void {
  truncateSync(join(dataDir, JOURNAL_FILE));
  setMark(database, undefined);
}

function setMark(database: Sqlite, boot: string | undefined): void {
  // Nothing in an id needs quoting.
  if (boot === undefined) database.exec(`DELETE FROM meta WHERE name = 'journal'`);
  else database.exec(`INSERT OR REPLACE INTO meta VALUES ('journal', '${boot}')`);
}

function readBootId(): string | undefined {
  const id = existsSync(BOOT_ID) ? readFileSync(BOOT_ID, 'utf8').trim() : '';
  return /^[\w-]+$/.test(id) ? id : undefined;
}

/** @returns the lines, without the part of one that was not delivered; `undefined` if lines are missing */
function readWholeLines(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const bytes = readFileSync(file);
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const lines = decoder.decode(bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1));
    parseLines(lines);
    return lines;
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
