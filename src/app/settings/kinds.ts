/** Kinds of settings: how a variable's text becomes a value, how a default is written, and what the setting takes in words. */
import { z } from 'zod';
import type { NotificationOptions } from '../../notification/index.js';
import { LEVELS, type Level, type LogLevels } from '../logger.js';

export interface Kind<T> {
  schema: z.ZodType<T>;
  /** The text of a value, as it stands in `.env.example`. */
  format(this: void, value: T): string;
  /** What the setting takes; the error of a wrong value ends with it. */
  takes: string;
}

export const HTTP_URL = z.url({ protocol: /^https?$/ });

const DAY_S = 86_400;
const YEAR_S = 365 * DAY_S;

export function whole(takes: string, min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const schema = z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
  return { schema, format: String, takes };
}

/** Seconds, which become milliseconds: by default what a timer, or a sum with the clock, can take. */
export function seconds(min = 0.001, max = YEAR_S): Kind<number> {
  const schema = z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform((text) => Number(text) * 1000)
    .refine((ms) => ms >= min * 1000 && ms <= max * 1000);
  return { schema, format: (ms) => String(ms / 1000), takes: `seconds, ${min} to ${max}` };
}

export function oneOf<const T extends string>(...values: [T, ...T[]]): Kind<T> {
  const last = values.at(-1) as T;
  const takes = values.length === 1 ? last : `${values.slice(0, -1).join(', ')} or ${last}`;
  return { schema: z.enum(values), format: String, takes };
}

export function onOff(takes = 'on or off'): Kind<boolean> {
  return { schema: z.enum(['on', 'off']).transform((value) => value === 'on'), format: (is) => (is ? 'on' : 'off'), takes };
}

export function text(takes: string, schema: z.ZodType<string> = z.string().min(1)): Kind<string> {
  return { schema, format: String, takes };
}

/** Items separated by commas or line breaks. A value that is not empty names at least one. */
export function list<T extends string = string>(takes: string, isItem: (item: string) => item is T): Kind<T[]>;
export function list(takes: string, isItem?: (item: string) => boolean): Kind<string[]>;
export function list(takes: string, isItem: (item: string) => boolean = () => true): Kind<string[]> {
  const schema = z
    .string()
    .transform((given) => ({
      given,
      items: given
        .split(/[,\n]/)
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    }))
    .refine(({ given, items }) => given === '' || items.length > 0)
    .transform(({ items }) => items)
    .refine((items) => items.every(isItem));
  return { schema, format: (items) => items.join(','), takes };
}

/** `info,Audit=warn`: a level, and levels of single loggers. */
export function logLevels(): Kind<LogLevels> {
  const level = LEVELS.join('|');
  const schema = z
    .string()
    .regex(new RegExp(`^(?:${level})(?:,[\\w.]+=(?:${level}))*$`))
    .transform((given): LogLevels => {
      const [all, ...others] = given.split(',');
      const pairs = others.map((other) => other.split('='));
      return { all: all as Level, byLogger: new Map(pairs.map(([name = '', own]) => [name.toLowerCase(), own as Level])) };
    });
  const takes = `${LEVELS.slice(0, -1).join(', ')} or ${LEVELS.at(-1)}; levels of single loggers may follow, as in info,Audit=warn`;
  return { schema, format: ({ all }) => all, takes };
}

/** One setting of the table. */
export interface Setting<T> extends Kind<T> {
  /** What it does, in Markdown. */
  about: string;
  /** The option of `NotificationModule.forRoot()` that it sets. */
  option?: keyof NotificationOptions;
  /** The default's text, of a setting that sets no option; absent where there is none. */
  default?: string;
  /** Its value appears in no error. */
  isSecret?: boolean;
  /** Its value may stand in a file, which `…_FILE` names. */
  inFile?: boolean;
}

export type Table = Readonly<Record<`WEBSOCKET_${string}`, Setting<unknown>>>;
