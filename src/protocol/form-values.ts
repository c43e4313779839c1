/**
 * What a user filled in, checked against the prompt's form: sizes and types first, then sets, formats and patterns. The
 * server and its clients run this same code; only the engine for patterns differs.
 */
import type { InputField, InputSchema, Json, JsonObject } from './confirmation.js';
import { FORMATS } from './formats.js';
import type { FieldErrors } from './messages.js';

/** An error names at most this many faulty fields. */
const MAX_FAULTS = 20;
/** What is wrong with a text that is to match a pattern; `undefined` when nothing is. */
export type PatternCheck = (pattern: string, text: string) => string | undefined;

/**
 * @param schema a form that can be used
 * @param complete whether required fields must be there, as in an answer that proceeds
 * @returns one fault for each faulty field, at most 20
 */
export function findValueFaults(
  { properties, required = [] }: InputSchema,
  values: JsonObject,
  complete: boolean,
  checkPattern: PatternCheck,
): FieldErrors {
  const faults: FieldErrors = {};
  let count = 0;
  const add = (name: string, problem: string | undefined): void => {
    if (problem === undefined || count >= MAX_FAULTS) return;
    faults[`values.${name}`] = problem;
    count += 1;
  };
  const missing = complete ? required.filter((name) => !Object.hasOwn(values, name)) : [];
  for (const name of missing) add(name, 'is required');
  for (const [name, value] of Object.entries(values)) {
    if (count >= MAX_FAULTS) break;
    const field = Object.hasOwn(properties, name) ? properties[name] : undefined;
    add(name, field ? findProblem(field, value, checkPattern) : 'is not part of the form');
  }
  return faults;
}

function findProblem(field: InputField, value: Json, checkPattern: PatternCheck): string | undefined {
  switch (field.type) {
    case 'string':
      return typeof value === 'string' ? findTextProblem(field, value, checkPattern) : 'must be a string';
    case 'integer':
    case 'number':
      return findNumberProblem(field, value);
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'array':
      return Array.isArray(value) ? findSelectionProblem(field, value) : 'must be a list';
    default:
      return field.type satisfies never;
  }
}

function findTextProblem(field: InputField, text: string, checkPattern: PatternCheck): string | undefined {
  const { minLength = 0, maxLength = Infinity, format, pattern } = field;
  const options = field.enum ?? field.oneOf?.map((option) => option.const);
  if (options && !options.includes(text)) return 'is none of the options';
  // Between one half and the whole of its UTF-16 units: most texts need not be counted.
  const length = text.length < minLength || text.length / 2 > maxLength ? text.length : lengthOf(text);
  if (length < minLength) return `must have at least ${minLength} characters`;
  if (length > maxLength) return `must have at most ${maxLength} characters`;
  if (format !== undefined && FORMATS[format]?.(text) !== true) return `must be a valid ${format}`;
  return pattern === undefined ? undefined : checkPattern(pattern, text);
}

function findNumberProblem(field: InputField, value: Json): string | undefined {
  const { type, minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = field;
  if (typeof value !== 'number') return 'must be a number';
  if (type === 'integer' && !Number.isInteger(value)) return 'must be a whole number';
  if (value < minimum) return `must be at least ${minimum}`;
  if (value <= exclusiveMinimum) return `must be more than ${exclusiveMinimum}`;
  if (value >= exclusiveMaximum) return `must be less than ${exclusiveMaximum}`;
  return value > maximum ? `must be at most ${maximum}` : undefined;
}

function findSelectionProblem(field: InputField, chosen: readonly Json[]): string | undefined {
  const { items, minItems = 0, maxItems = Infinity, uniqueItems = false } = field;
  if (chosen.length < minItems) return `must have at least ${minItems} of the options`;
  if (chosen.length > maxItems) return `must have at most ${maxItems} of the options`;
  const options = new Set<Json>(items?.enum ?? items?.anyOf?.map((option) => option.const));
  if (!chosen.every((item) => options.has(item))) return 'must have nothing but the options';
  return uniqueItems && new Set(chosen).size < chosen.length ? 'must not have an option twice' : undefined;
}

/** In code points, as JSON Schema counts. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _char of text) length += 1;
  return length;
}
