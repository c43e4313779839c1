/** Reads a page of rows, in steps: however large its rows are, a page holds about `PAGE_BYTES` and one step more. */
import { PAGE_BYTES } from '../broker.js';

const STEP_ROWS = 8;

/**
 * @param limit rows at most
 * @param start the `seq` to begin behind: the cursor of the page before
 * @param read rows behind the given `seq`, in order, at most the given number of them
 */
export function readPage<Row extends { seq: number }>(
  limit: number,
  start: number,
  read: (after: number, rows: number) => Row[],
  bytesOf: (row: Row) => number,
): { rows: Row[]; cursor?: string } {
  const rows: Row[] = [];
  let bytes = 0;
  let after = start;
  for (;;) {
    const step = Math.min(limit - rows.length, STEP_ROWS);
    // One row more shows whether anything follows.
    const found = read(after, step + 1);
    for (const row of found.slice(0, step)) {
      rows.push(row);
      bytes += bytesOf(row);
      after = row.seq;
    }
    if (found.length <= step) return { rows };
    if (rows.length >= limit || bytes >= PAGE_BYTES) return { rows, cursor: String(after) };
  }
}
