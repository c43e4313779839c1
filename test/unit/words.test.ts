/** Sources and documents avoid the words that docs/glossary.md replaces. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const REPLACED = /\b(?:told|untold|teller|anew|whoever|so many|sign of life)\b/i;

/** The name of a stored value: data outlives an upgrade. */
const STORED = /meta\.told|'told'|`told`|told \(events/;

function linesOf(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.(?:ts|tsx|mjs|lua|md|yml|json)$/.test(name) && !name.includes('node_modules'),
  );
  return files
    .map((name) => join(folder, name))
    .flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .map((line) => `${path}: ${line.trim()}`),
    );
}

it.each(['src', 'docs', 'bench', 'examples', 'deploy'])('no line of %s contains a word that the glossary replaces', (folder) => {
  const lines = linesOf(folder);
  expect(lines.length).toBeGreaterThan(500);
  expect(lines.filter((line) => REPLACED.test(line) && !STORED.test(line))).toEqual([]);
});
