/**
 * A script's descriptor: its name, its kind, and the names and types of its arguments and its reply. Nothing outside the
 * descriptor and its `.lua` file knows a position.
 *
 *  1. Arguments travel as ARGV in the order in which the descriptor names them; the `.lua` file unpacks the same names. A list
 *     comes last: the arguments of its items, one item after the other.
 *  2. The clock is Redis' own, without the server's jumps (`lua/includes/clock.lua`, `lua/sweep.lua`).
 *  3. Scripts that decide, forget or read run even when Redis is out of memory.
 */
import { createHash } from 'node:crypto';
import type { Scope } from '../../engine.js';
import type { Decoder } from '../reply-decoder.js';
import { readScript } from './lua-source.js';

/**
 * `adds` something new, and is refused when Redis is out of memory; `decides` or ends something; `emits` what was decided;
 * `maintains` what the nodes need themselves, or what follows from the clock; only `reads`.
 */
export type Kind = 'adds' | 'decides' | 'emits' | 'maintains' | 'reads';

/** How each kind of argument travels. */
const ENCODE = {
  text: (value: string) => value,
  number: (value: number) => String(value),
  /** '1' or ''. */
  flag: (value: boolean) => (value ? '1' : ''),
  /** As a decision stores it: '1' or '0'. */
  answer: (value: boolean) => (value ? '1' : '0'),
  /** 'n' for none, or 's' and the text. */
  optionalText: (value: string | null | undefined) => (value == null ? 'n' : `s${value}`),
  /** '' for none. */
  optionalNumber: (value: number | null | undefined) => (value == null ? '' : String(value)),
  /** 'all', or a JSON list of users. */
  scope: (value: Scope) => (value === 'all' ? 'all' : JSON.stringify(value)),
  json: (value: unknown) => JSON.stringify(value),
};

type ArgumentKind = keyof typeof ENCODE;
type ArgumentKinds = Readonly<Record<string, ArgumentKind>>;
type ArgumentsOf<Kinds extends ArgumentKinds> = { [Name in keyof Kinds]: Parameters<(typeof ENCODE)[Kinds[Name]]>[0] };
/** The items of a script that takes a list; each has these arguments. */
type WithItems<Kinds extends ArgumentKinds | undefined> = Kinds extends ArgumentKinds
  ? { items: readonly ArgumentsOf<Kinds>[] }
  : unknown;

export interface Script<Arguments = never, Reply = unknown> {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  /** Whether a caller relies on it: with WAIT, replicas must have it before the call resolves. */
  readonly counts: boolean;
  /** In the order of ARGV. */
  readonly argumentNames: readonly string[];
  /** The arguments of an item, for a script that takes a list. */
  readonly itemNames: readonly string[];
  encode(values: Arguments): string[];
  readonly decode: Decoder<Reply>;
}

export interface Description<Kinds extends ArgumentKinds, Reply, ItemKinds extends ArgumentKinds | undefined> {
  kind: Kind;
  /** By name, in the order of ARGV. */
  args: Kinds;
  /** Of each item, in the same way. @default the script takes no list */
  items?: ItemKinds;
  reply: Decoder<Reply>;
}

/** Reads `lua/<name>.lua`. */
export function script<const Kinds extends ArgumentKinds, Reply, const ItemKinds extends ArgumentKinds | undefined = undefined>(
  name: string,
  { kind, args, items, reply }: Description<Kinds, Reply, ItemKinds>,
): Script<ArgumentsOf<Kinds> & WithItems<ItemKinds>, Reply> {
  const source = `#!lua${kind === 'adds' ? '' : ' flags=allow-oom'}\n-- ${name}\n${readScript(name)}`;
  const encode = encoderOf(args);
  const encodeItem = items && encoderOf(items);
  return {
    name,
    source,
    sha: createHash('sha1').update(source).digest('hex'),
    counts: kind !== 'maintains' && kind !== 'reads',
    argumentNames: Object.keys(args),
    itemNames: Object.keys(items ?? {}),
    encode: (values) => {
      const encoded: string[] = [];
      encode(values, encoded);
      const { items: list = [] } = values as { items?: readonly object[] };
      if (encodeItem) for (const item of list) encodeItem(item, encoded);
      return encoded;
    },
    decode: reply,
  };
}

function encoderOf(kinds: ArgumentKinds): (values: object, into: string[]) => void {
  const encoders = Object.entries(kinds).map(([name, its]) => [name, ENCODE[its] as (value: unknown) => string] as const);
  return (values, into) => {
    for (const [name, encode] of encoders) into.push(encode((values as Record<string, unknown>)[name]));
  };
}
