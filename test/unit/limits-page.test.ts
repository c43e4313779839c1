/** docs/limits.md names, for everything that input can make grow, the test that shows its bound. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

it('every row of the page of limits names a test that exists', () => {
  const rows = readFileSync('docs/limits.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| what '));
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const [, file = '', title = ''] = /`([\w.-]+\.ts)`: \*(.+)\* \|$/.exec(row) ?? [];
    const path = files.find((name) => basename(name) === file);
    const source = path === undefined ? '' : readFileSync(join('test', path), 'utf8');
    expect({ row, found: title !== '' && source.includes(title) }).toEqual({ row, found: true });
  }
});
