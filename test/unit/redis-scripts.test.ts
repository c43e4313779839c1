/** The scripts of the Redis engine: descriptors and `.lua` files agree, and every file includes what it uses. */
import { IN_TIME_MS } from '../../src/notification/engine/deadlines.js';
import { READING_LEASE_MS } from '../../src/notification/engine/redis/reading-lease.js';
import { RECORD_FIELDS } from '../../src/notification/engine/redis/records.js';
import type { Script } from '../../src/notification/engine/redis/scripts/script.js';
import { everyLuaFile, everyScript } from '../support/redis-scripts.js';

let scripts: Script[];
let files: Map<string, string>;

beforeAll(async () => {
  scripts = [...(await everyScript()).values()];
  files = await everyLuaFile();
});

const fileOf = (path: string): string => files.get(path) ?? '';
const codeOf = (text: string): string => text.replace(/^\s*--.*$/gm, '').replace(/'[^'\n]*'/g, "''");
const includesOf = (text: string): string[] =>
  [...text.matchAll(/^--- @include "(.+)"$/gm)].map(([, name]) => `includes/${name}`);
/** The names that a file defines for others. */
const definedBy = (text: string): string[] =>
  [...codeOf(text).matchAll(/^local (?:function (\w+)|([\w, ]+?)(?: =|$))/gm)].flatMap(([, name, names]) =>
    name ? [name] : (names ?? '').split(/, */),
  );
const uses = (text: string, name: string): boolean => new RegExp(`(?<![.:\\w])${name}\\b`).test(codeOf(text));
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe('a script', () => {
  it('has one descriptor and one file of the same name', () => {
    expect(scripts.length).toBeGreaterThan(40);
    expect(scripts.map(({ name }) => name).toSorted()).toEqual(
      [...files.keys()].filter((path) => !path.includes('/')).toSorted(),
    );
  });

  it('unpacks exactly the arguments that its descriptor names, and uses each of them', () => {
    for (const { name, argumentNames } of scripts) {
      const code = codeOf(fileOf(name));
      const [unpacked, names = ''] = /^local ([\w,\s]+?) = unpack\(ARGV\)$/m.exec(code) ?? [''];
      expect([name, ...names.split(/,\s*/)]).toEqual([name, ...(argumentNames.length > 0 ? argumentNames.map(snake) : [''])]);
      const rest = code.replace(unpacked, '').replace(/^for at = .*\n.*\n/m, '');
      expect([name, /\bARGV\b/.test(rest)]).toEqual([name, false]);
      for (const argument of argumentNames) expect([name, argument, uses(rest, snake(argument))]).toEqual([name, argument, true]);
    }
  });

  it('unpacks exactly the arguments of an item that its descriptor names, after all others, and uses each of them', () => {
    const taking = scripts.filter(({ itemNames }) => itemNames.length > 0);
    expect(taking.map(({ name }) => name)).toEqual(['publish']);
    for (const { name, argumentNames, itemNames } of taking) {
      const [first, size] = [argumentNames.length + 1, itemNames.length];
      const unpacking =
        `for at = ${first}, #ARGV, ${size} do\n` +
        `  local ${itemNames.map(snake).join(', ')} = unpack(ARGV, at, at + ${size - 1})\n`;
      expect(codeOf(fileOf(name))).toContain(unpacking);
      const rest = codeOf(fileOf(name)).replace(unpacking, '');
      for (const argument of itemNames) expect([argument, uses(rest, snake(argument))]).toEqual([argument, true]);
    }
  });

  it('lists in its header, in order, the values of its reply that its descriptor names', () => {
    let checked = 0;
    for (const { name, decode } of scripts) {
      if (!('names' in decode)) continue;
      const [, header = ''] = /^-- OUT((?:.*\n-- {4,})*.*)/m.exec(fileOf(name)) ?? [];
      const places = (decode.names as string[]).map((value) => header.search(new RegExp(`\\b${snake(value)}\\b`)));
      expect([name, Math.min(...places) >= 0]).toEqual([name, true]);
      expect([name, ...places]).toEqual([name, ...places.toSorted((a, b) => a - b)]);
      checked += 1;
    }
    expect(checked).toBeGreaterThan(15);
  });

  it('carries every include that it uses, before its first use, once', () => {
    for (const { name, source } of scripts) {
      const lines = source.split('\n');
      const defined = definedBy(source);
      expect([name, defined.toSorted()]).toEqual([name, [...new Set(defined)].toSorted()]);
      for (const [path, text] of files) {
        if (!path.startsWith('includes/')) continue;
        for (const each of definedBy(text)) {
          const first = lines.findIndex((line) => uses(line, each));
          if (first >= 0) expect([name, each, lines[first]]).toEqual([name, each, expect.stringMatching(/^local /)]);
        }
      }
    }
  });

  it('starts with its name, and lets Redis refuse it when memory is full only if it adds something', () => {
    for (const { name, source } of scripts) expect(source).toMatch(new RegExp(`^#!lua(?: flags=allow-oom)?\n-- ${name}\n`));
    const refused = scripts.filter(({ source }) => !source.includes('allow-oom')).map(({ name }) => name);
    expect(refused.toSorted()).toEqual(['claim', 'dismiss', 'keep', 'mark-seen', 'name-owner', 'open', 'publish']);
  });
});

describe('a .lua file', () => {
  it('includes only files that exist and of which it uses something', () => {
    for (const [path, text] of files)
      for (const include of includesOf(text)) {
        const reachable = [include, ...includesOf(fileOf(include))];
        const used = reachable.some((each) => definedBy(fileOf(each)).some((name) => uses(text, name)));
        expect([path, include, files.has(include) && used]).toEqual([path, include, true]);
      }
  });

  it('is included by some script', () => {
    const included = new Set([...files.values()].flatMap(includesOf));
    expect([...files.keys()].filter((path) => path.startsWith('includes/')).toSorted()).toEqual([...included].toSorted());
  });
});

describe('Lua and TypeScript', () => {
  it('name the fields of a record in the same order', () => {
    const record = fileOf('includes/record');
    const [, list = ''] = /FIELDS = \{([^}]*)\}/.exec(record) ?? [];
    expect([...list.matchAll(/'(\w+)'/g)].map(([, field]) => field)).toEqual(RECORD_FIELDS);
    const [, table = ''] = /local I = \{([^}]*)\}/.exec(record) ?? [];
    expect([...table.matchAll(/(\w+) = (\d+)/g)].map(([, field, place]) => [field, Number(place)])).toEqual(
      RECORD_FIELDS.map((field, index) => [field, index + 1]),
    );
  });

  it('agree on the limits of deadlines', () => {
    const limits = fileOf('includes/deadline-limits');
    expect(limits).toContain(`local IN_TIME_MS = ${IN_TIME_MS}\n`);
    expect(limits).toContain(`local READING_LEASE_MS = ${READING_LEASE_MS}\n`);
  });
});
