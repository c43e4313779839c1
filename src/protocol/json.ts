/**
 * Free JSON: what an application or a user puts into a result, metadata, a message or an answer.
 *
 * It is carried unchanged or refused with the path of what cannot be carried. Whatever walks, compares or stores a value
 * that passed (validators, canonical JSON, a database) is safe.
 */
import type { Json } from './confirmation.js';

/** How deep objects and arrays may nest, the outermost included. */
export const MAX_DEPTH = 64;
/** A value of more objects, arrays and scalars than this is too large for any message. */
const MAX_NODES = 1_048_576;
const MAX_PATH_LENGTH = 256;
/** `JSON.stringify` writes larger integers with an exponent, as nobody writes an id. */
const FIRST_EXPONENT = 1e21;
const LONE_SURROGATE = /\p{Surrogate}/u;

export const NOT_UNICODE = 'text must be well-formed Unicode';
export const NEGATIVE_ZERO = 'the sign of -0 cannot be kept: send 0';
export const NOT_EXACT = 'a double cannot hold this number exactly: send it as a string';

/** Why a value cannot be carried, and the field it concerns: names and indices with a point between, '' for the value itself. */
export interface JsonFault {
  path: string;
  problem: string;
}

/** The first fault of a value that `JSON.parse` has made. */
export function findFault(value: unknown, depth = 1): JsonFault | undefined {
  if (typeof value === 'string') return LONE_SURROGATE.test(value) ? { path: '', problem: NOT_UNICODE } : undefined;
  if (typeof value === 'number') return findNumberFault(value);
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return { path: '', problem: `nested more than ${MAX_DEPTH} levels deep` };
  const isArray = Array.isArray(value);
  for (const name of Object.keys(value)) {
    const problem = isArray ? undefined : findNameProblem(name);
    if (problem !== undefined) return { path: name, problem };
    const fault = findFault((value as Record<string, unknown>)[name], depth + 1);
    if (fault) return within(name, fault);
  }
  return undefined;
}

function findNumberFault(value: number): JsonFault | undefined {
  if (Object.is(value, -0)) return { path: '', problem: NEGATIVE_ZERO };
  return isRounded(value) ? { path: '', problem: NOT_EXACT } : undefined;
}

/** A fault's path as seen from the object that has it under `name`. */
export function within(name: string, { path, problem }: JsonFault): JsonFault {
  const whole = path === '' ? name : `${name}.${path}`;
  return { path: whole.length > MAX_PATH_LENGTH ? `${whole.slice(0, MAX_PATH_LENGTH)}…` : whole, problem };
}

/** Fields as an error names them. */
export function asFields({ path, problem }: JsonFault, root: string): Record<string, string> {
  return { [path === '' ? root : path]: problem };
}

/**
 * The JSON of a JavaScript value. Unlike `JSON.stringify` it loses nothing in silence: what has no JSON is a fault.
 * `-0` becomes `0`, as in `JSON.stringify`. `toJSON` methods are called, and properties that are `undefined` are left out.
 */
export function copyJson(value: unknown): { json: Json } | { fault: JsonFault } {
  const copier = new Copier();
  try {
    return { json: copier.copy(value, '', 1) };
  } catch (error) {
    const problem = error instanceof UnfitError ? error.message : `cannot be read (${String(error)})`;
    const fault = copier.trail.reduceRight<JsonFault>((inner, name) => within(name, inner), { path: '', problem });
    return { fault };
  }
}

class UnfitError extends Error {}

class Copier {
  /** The names that lead to the value in work. */
  readonly trail: string[] = [];
  private nodes = 0;

  copy(given: unknown, name: string, depth: number): Json {
    this.nodes += 1;
    if (this.nodes > MAX_NODES) throw new UnfitError('is too large');
    const value = this.own(given, name);
    switch (typeof value) {
      case 'string':
        if (LONE_SURROGATE.test(value)) throw new UnfitError(NOT_UNICODE);
        return value;
      case 'number':
        if (!Number.isFinite(value)) throw new UnfitError('must be a finite number');
        if (isRounded(value)) throw new UnfitError(NOT_EXACT);
        return value === 0 ? 0 : value;
      case 'boolean':
        return value;
      case 'bigint':
        throw new UnfitError(NOT_EXACT);
      case 'object':
        if (value === null) return null;
        if (depth > MAX_DEPTH) throw new UnfitError(`nested more than ${MAX_DEPTH} levels deep`);
        return Array.isArray(value) ? this.copyArray(value, depth) : this.copyObject(value, depth);
      default:
        throw new UnfitError(`JSON has no ${typeof value}`);
    }
  }

  /** What stands for a value by its own `toJSON`. */
  private own(value: unknown, name: string): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON !== 'function') return value;
    const written: unknown = (toJSON as (name: string) => unknown).call(value, name);
    if (written === null && kindOf(value) === 'Date') throw new UnfitError('is no valid date');
    return written;
  }

  private copyArray(values: readonly unknown[], depth: number): Json[] {
    const copy: Json[] = [];
    for (let index = 0; index < values.length; index += 1) {
      this.trail.push(String(index));
      copy.push(this.copy(values[index], String(index), depth + 1));
      this.trail.pop();
    }
    return copy;
  }

  private copyObject(value: object, depth: number): Json {
    if (kindOf(value) !== 'Object') throw new UnfitError(`JSON has no ${kindOf(value)}`);
    const copy: { [name: string]: Json } = {};
    for (const name of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[name];
      if (member === undefined) continue;
      this.trail.push(name);
      const problem = findNameProblem(name);
      if (problem !== undefined) throw new UnfitError(problem);
      copy[name] = this.copy(member, name, depth + 1);
      this.trail.pop();
    }
    return copy;
  }
}

function findNameProblem(name: string): string | undefined {
  if (name === '__proto__') return 'this field name is not allowed';
  return LONE_SURROGATE.test(name) ? NOT_UNICODE : undefined;
}

/** Whether a number may stand for another one that had more digits: an integer beyond 2^53 − 1, or infinity. */
function isRounded(value: number): boolean {
  if (!Number.isFinite(value)) return true;
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < FIRST_EXPONENT;
}

const kindOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);
