/** What an edit changes, line by line. */

export interface DiffLine {
  kind: ' ' | '-' | '+';
  text: string;
}

/** Larger comparisons show the changed part as removed and added. */
const MOST_CELLS = 1_000_000;

export function diffLines(before: string, after: string): DiffLine[] {
  const old = before.split('\n');
  const now = after.split('\n');
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const lines = (kind: DiffLine['kind'], texts: string[]): DiffLine[] => texts.map((text) => ({ kind, text }));
  return [
    ...lines(' ', old.slice(0, start)),
    ...between(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...lines(' ', old.slice(old.length - end)),
  ];
}

/** The longest common subsequence, by the table of its lengths. */
function between(old: string[], now: string[]): DiffLine[] {
  const width = now.length + 1;
  const isSmall = (old.length + 1) * width <= MOST_CELLS;
  const common = new Uint32Array(isSmall ? (old.length + 1) * width : 0);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  if (isSmall)
    for (let i = old.length - 1; i >= 0; i -= 1)
      for (let j = now.length - 1; j >= 0; j -= 1)
        common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const result: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const [gone, come] = [old[i], now[j]];
    if (isSmall && gone !== undefined && gone === come) {
      result.push({ kind: ' ', text: gone });
      i += 1;
      j += 1;
    } else if (gone !== undefined && (come === undefined || at(i + 1, j) >= at(i, j + 1))) {
      result.push({ kind: '-', text: gone });
      i += 1;
    } else {
      result.push({ kind: '+', text: come ?? '' });
      j += 1;
    }
  }
  return result;
}
