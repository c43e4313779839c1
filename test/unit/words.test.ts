/** Sources, tests and documents avoid the words that docs/glossary.md replaces. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const REPLACED = /\b(?:told|untold|teller|anew|whoever|so many|sign of life)\b/i;

/** The name of a stored value: data outlives an upgrade. */
const STORED = /meta\.told|'told'|`told`|told \(events/;

/** This file lists the words. */
const OWN_NAME = 'words.test.ts';

function linesOf(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) =>
      /\.(?:ts|tsx|mjs|cjs|lua|md|yml|json|py)$/.test(name) && !name.includes('node_modules') && basename(name) !== OWN_NAME,
  );
  return files
    .map((name) => join(folder, name))
    .flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .map((line) => `${path}: ${line.trim()}`),
    );
}

it.each(['src', 'test', 'scripts', 'docs', 'bench', 'examples', 'deploy', 'clients'])(
  'no line of %s contains a word that the glossary replaces',
  (folder) => {
    const lines = linesOf(folder);
    expect(lines.length).toBeGreaterThan(500);
    expect(lines.filter((line) => REPLACED.test(line) && !STORED.test(line))).toEqual([]);
  },
);
