/**
 * Reads a script's `.lua` file with its includes.
 *
 * A line `--- @include "name"` stands for `lua/includes/name.lua`; an include may include others. Each include comes once, before
 * its first use. Comments are left out.
 *
 * Redis creates every local function again for each run of a script, so a file includes only what it uses.
 */
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../lua/', import.meta.url);
const INCLUDE = /^--- @include "([\w/-]+)"$/;

export function readScript(name: string): string {
  const included = new Set<string>();
  const linesOf = (path: string): string[] =>
    readFileSync(new URL(`${path}.lua`, FOLDER), 'utf8')
      .split('\n')
      .flatMap((line) => {
        const include = INCLUDE.exec(line)?.[1];
        if (include === undefined) return line.trimStart().startsWith('--') || line === '' ? [] : [line];
        if (included.has(include)) return [];
        included.add(include);
        return linesOf(`includes/${include}`);
      });
  return linesOf(name).join('\n');
}
