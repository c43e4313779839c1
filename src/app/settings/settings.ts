/**
 * The settings of the stand-alone service: one table, by groups.
 *
 *  1. A setting that sets an option of the module has that option's default. No default is written twice.
 *  2. `.env.example` and `docs/settings.md` are made from this table (`npm run docs:settings`); a test compares them.
 */
import type { z } from 'zod';
import { resolveOptions } from '../../notification/service-door.js';
import { authentication, pages } from './access.js';
import { confirmations } from './confirmations.js';
import { connections } from './connections.js';
import { engine } from './engine.js';
import type { Setting, Table } from './kinds.js';
import { listening, logs } from './listening.js';
import { webhook } from './webhook.js';

/** The tables by the headings that the documents give them. */
export const GROUPS: readonly (readonly [title: string, table: Table])[] = [
  ['Where it listens', listening],
  ['Authentication', authentication],
  ['Web pages and proxies', pages],
  ['Engine', engine],
  ['Confirmations and messages', confirmations],
  ['Connections and limits', connections],
  ['Webhook', webhook],
  ['Logs', logs],
];

export const SETTINGS = {
  ...listening,
  ...authentication,
  ...pages,
  ...engine,
  ...confirmations,
  ...connections,
  ...webhook,
  ...logs,
};

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** What each setting is read as: `undefined` where nothing is set, and where an option's default counts. */
export type SettingValues = {
  readonly [N in SettingName]:
    z.output<(typeof SETTINGS)[N]['schema']> | ((typeof SETTINGS)[N] extends { default: string } ? never : undefined);
};

/** Settings that may stand in a file. */
export const FILE_NAMES = SETTING_NAMES.filter((name) => settingOf(name).inFile).map((name) => `${name}_FILE` as const);

export function settingOf(name: SettingName): Setting<unknown> {
  return SETTINGS[name];
}

const OPTIONS = resolveOptions({ allowOpenMode: true });

/** The default's text; absent where there is none. */
export function defaultOf(name: SettingName): string | undefined {
  const { option, format, default: own } = settingOf(name);
  const value = option === undefined ? undefined : OPTIONS[option];
  return value === undefined || (Array.isArray(value) && value.length === 0) ? own : format(value);
}
