/** The scripts of the Redis engine, found in its folders, so that a new one is not left out of a test. */
import { readdir, readFile } from 'node:fs/promises';
import type { Script } from '../../src/notification/engine/redis/scripts/script.js';

const DESCRIPTORS = new URL('../../src/notification/engine/redis/scripts/', import.meta.url);
const LUA = new URL('../../src/notification/engine/redis/lua/', import.meta.url);

/** @returns every descriptor, by name */
export async function everyScript(): Promise<Map<string, Script>> {
  const files = (await readdir(DESCRIPTORS)).filter((file) => file.endsWith('.js'));
  const scripts: Script[] = [];
  // One after the other: Jest cannot link modules that share imports at the same time.
  for (const file of files) {
    const module = (await import(new URL(file, DESCRIPTORS).href)) as Record<string, unknown>;
    scripts.push(...Object.values(module).filter(isScript));
  }
  return new Map(scripts.map((script) => [script.name, script]));
}

/** Texts by which a call of a script is recognised: its hash, or the head of its source. */
export const callsOf = ({ sha, name }: Pick<Script, 'sha' | 'name'>): string[] => [sha, `-- ${name}\n`];

const isScript = (value: unknown): value is Script => value instanceof Object && 'sha' in value && 'source' in value;

/** @returns the text of every `.lua` file by its path without the ending: `open`, `includes/clock`, … */
export async function everyLuaFile(): Promise<Map<string, string>> {
  const files = (await readdir(LUA, { recursive: true })).filter((file) => file.endsWith('.lua'));
  const read = async (file: string) => [file.slice(0, -'.lua'.length), await readFile(new URL(file, LUA), 'utf8')] as const;
  return new Map(await Promise.all(files.map(read)));
}
