/** The pages on limits, on threats and on the architecture name tests and files that exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

function sourceOf(file: string): string {
  const path = files.find((name) => basename(name) === basename(file));
  return path === undefined ? '' : readFileSync(join('test', path), 'utf8');
}

function rowsOf(page: string, firstHeading: string): string[] {
  const lines = readFileSync(page, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('| ') && !line.startsWith(`| ${firstHeading} `));
}

it('every row of docs/limits.md names a test that exists', () => {
  const rows = rowsOf('docs/limits.md', 'what');
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const [, file = '', title = ''] = /`([\w.-]+\.ts)`: \*(.+)\* \|$/.exec(row) ?? [];
    expect({ row, found: title !== '' && sourceOf(file).includes(title) }).toEqual({ row, found: true });
  }
});

it('every test that docs/security.md names exists, and so does the title after it', () => {
  const rows = rowsOf('docs/security.md', 'threat').filter((row) => row.includes('.test.ts`'));
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    for (const [, file = '', title = ''] of row.matchAll(/`([\w./-]+\.test\.ts)`(?:, \*([^*]+)\*)?/g))
      expect({ row, file, found: sourceOf(file) !== '' && sourceOf(file).includes(title) }).toEqual({ row, file, found: true });
  }
});

it('every file and folder that docs/architecture.md names exists', () => {
  const roots = ['.', 'src', 'src/notification'];
  const named = [...readFileSync('docs/architecture.md', 'utf8').matchAll(/`([\w./-]+)`/g)].map(([, name = '']) => name);
  const paths = named.filter((name) => /\w\/|\.(?:ts|py|lua|md)$/.test(name));
  expect(paths.length).toBeGreaterThan(40);
  const isThere = (path: string): boolean => roots.some((root) => existsSync(join(root, path))) || sourceOf(path) !== '';
  expect(paths.filter((path) => !isThere(path))).toEqual([]);
});
