/** Decoders of replies. Each takes what Redis replied and returns the engine's words; a reply of another shape is a fault. */
import { EngineUnavailableError } from '../../notification.errors.js';

export type Decoder<Value> = (reply: unknown) => Value;

function unexpected(reply: unknown, expected: string): EngineUnavailableError {
  return new EngineUnavailableError(`Redis answered ${typeof reply} where ${expected} was expected`);
}

/** For a script whose reply says nothing. */
export const nothing: Decoder<void> = () => undefined;

export function text(reply: unknown): string {
  if (typeof reply !== 'string') throw unexpected(reply, 'text');
  return reply;
}

export function number(reply: unknown): number {
  const value = typeof reply === 'string' && reply !== '' ? Number(reply) : reply;
  if (typeof value !== 'number' || Number.isNaN(value)) throw unexpected(reply, 'a number');
  return value;
}

/** '1' or ''. */
export const flag: Decoder<boolean> = (reply) => text(reply) === '1';

/** Scripts reply nil, messages `false`, for what is unset. */
export function optional<Value>(decode: Decoder<Value>): Decoder<Value | undefined> {
  return (reply) => (reply === null || reply === undefined || reply === false ? undefined : decode(reply));
}

export function anyList(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw unexpected(reply, 'a list');
  return reply;
}

export function listOf<Value>(decode: Decoder<Value>): Decoder<Value[]> {
  return (reply) => anyList(reply).map(decode);
}

type Fields = Readonly<Record<string, Decoder<unknown>>>;
type Decoded<Shape extends Fields> = { [Name in keyof Shape]: ReturnType<Shape[Name]> };

/** The values of a list by name: the first field is the first value. Values that are missing at the end count as unset. */
export function fields<Shape extends Fields>(shape: Shape): Decoder<Decoded<Shape>> & { readonly names: readonly string[] } {
  const entries = Object.entries(shape);
  const decode = (values: readonly unknown[], start: number): Decoded<Shape> => {
    const decoded: Record<string, unknown> = {};
    for (const [index, [name, its]] of entries.entries()) decoded[name] = its(values[start + index]);
    return decoded as Decoded<Shape>;
  };
  return Object.assign((reply: unknown) => decode(anyList(reply), 0), { names: Object.keys(shape) });
}

/** A flat list of groups of values, each group by name. */
export function groupsOf<Shape extends Fields>(shape: Shape): Decoder<Decoded<Shape>[]> {
  const size = Object.keys(shape).length;
  const decode = fields(shape);
  return (reply) => {
    const values = anyList(reply);
    const groups: Decoded<Shape>[] = [];
    for (let start = 0; start + size <= values.length; start += size) groups.push(decode(values.slice(start, start + size)));
    return groups;
  };
}
