/**
 * Recognises whether the data folder is the one that the last start left, or a copy, perhaps an older one.
 *
 *  1. Every start makes a new small file beside the database. The database notes its inode and the moment of its birth,
 *     which no copy has and no tool can set. Changes of rights and owners keep them.
 *  2. While the new file takes the place of the old one both count, so that a start that is killed looks like no copy.
 *  3. A copy may lack what was stored after it was made. So it begins a new epoch: positions from before are recognised.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sqlite } from './sqlite.js';

/** @returns whether the folder is a copy */
export function checkFolder(database: Sqlite, dataDir: string): boolean {
  const file = join(dataDir, 'witness');
  const noted = database.prepare<{ value: string }>(`SELECT value FROM meta WHERE name = 'witness'`).get()?.value.split(' ');
  const found = existsSync(file) ? birthOf(file) : undefined;
  const isCopy = !(noted === undefined && found === undefined) && !(found !== undefined && noted?.includes(found));
  try {
    renew(database, file, isCopy || found === undefined ? [] : [found], isCopy);
  } catch (error) {
    // The disk is full, perhaps. The file of the last start still counts.
    if (isCopy || found === undefined) throw error;
  }
  return isCopy;
}

function renew(database: Sqlite, file: string, kept: string[], isCopy: boolean): void {
  const draft = `${file}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, 'Made at every start; see the database. Do not remove.\n', { mode: 0o600 });
  const noted = [...kept, birthOf(draft)].join(' ');
  // In one step: nothing in these texts needs quoting.
  database.exec(`INSERT OR REPLACE INTO meta VALUES ('witness', '${noted}'),
    ('epoch', ${isCopy ? `'${randomUUID()}'` : `(SELECT value FROM meta WHERE name = 'epoch')`})`);
  renameSync(draft, file);
}

function birthOf(file: string): string {
  const { ino, birthtimeNs } = statSync(file, { bigint: true });
  return `${ino}.${birthtimeNs}`;
}
