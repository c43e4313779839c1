/** What was measured as a table in Markdown, one line for each contestant: the figure with its spread, and ours as a ratio. */
import { ratio } from './statistics.mjs';

/** @returns a number with two or three digits that say something */
export const round = (value) => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(value < 10 ? 2 : 3)));
const spread = ({ low, high }) => `${round(low)} to ${round(high)}`;

/** @param measures of one row */
export function table(measures) {
  const lines = Object.entries(measures).flatMap(([name, { unit, by }]) =>
    Object.entries(by).map(([key, result], index) => {
      const [own] = Object.values(by);
      const compared = index === 0 ? undefined : ratio(own, result);
      const cells = [index === 0 ? name : '', key, `${round(result.value)} ${unit}`, spread(result)];
      return Number.isFinite(compared?.value) ? [...cells, `${round(compared.value)} ×`, spread(compared)] : [...cells, '', ''];
    }),
  );
  return aligned([['measure', 'contestant', 'median', 'spread', 'ours to it', 'spread'], ...lines]);
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [head, ...rest] = rows.map(line);
  return [head, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rest].join('\n');
}
