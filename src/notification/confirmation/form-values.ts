/** What a user filled in, checked against the prompt's form: sizes and types first, then sets, formats and patterns. */
import type { InputField, InputSchema, Json, JsonObject } from '../../protocol/confirmation.js';
import type { FieldErrors } from '../../protocol/messages.js';
import { fieldOf, findSchemaFault } from './form.js';
import { FORMATS } from './formats.js';
import { compile, translate } from './pattern.js';

/** An error names at most this many faulty fields. */
const MAX_FAULTS = 20;
/** Instructions × characters that the patterns of one answer may take: some 20 ms. */
const MAX_PATTERN_STEPS = 500_000;

/** What of the bound on patterns is left. */
interface Budget {
  steps: number;
}

/**
 * @param complete whether required fields must be there, as in an answer that proceeds
 * @returns one fault for each faulty field, at most 20
 */
export function checkValues(schema: InputSchema, values: JsonObject, complete: boolean): FieldErrors {
  const unusable = findSchemaFault(schema);
  if (unusable) return { values: `the form cannot be used (${unusable.path}: ${unusable.problem})` };
  const budget: Budget = { steps: MAX_PATTERN_STEPS };
  const faults: FieldErrors = {};
  let count = 0;
  const add = (name: string, problem: string | undefined): void => {
    if (problem === undefined || count >= MAX_FAULTS) return;
    faults[`values.${name}`] = problem;
    count += 1;
  };
  const missing = complete ? (schema.required ?? []).filter((name) => !Object.hasOwn(values, name)) : [];
  for (const name of missing) add(name, 'is required');
  for (const [name, value] of Object.entries(values)) {
    if (count >= MAX_FAULTS) break;
    const field = fieldOf(schema, name);
    add(name, field ? findProblem(field, value, budget) : 'is not part of the form');
  }
  return faults;
}

function findProblem(field: InputField, value: Json, budget: Budget): string | undefined {
  switch (field.type) {
    case 'string':
      return typeof value === 'string' ? findTextProblem(field, value, budget) : 'must be a string';
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

function findTextProblem(field: InputField, text: string, budget: Budget): string | undefined {
  const { minLength = 0, maxLength = Infinity, format, pattern } = field;
  const options = field.enum ?? field.oneOf?.map((option) => option.const);
  if (options && !options.includes(text)) return 'is none of the options';
  // Between one half and the whole of its UTF-16 units: most texts need not be counted.
  const length = text.length < minLength || text.length / 2 > maxLength ? text.length : lengthOf(text);
  if (length < minLength) return `must have at least ${minLength} characters`;
  if (length > maxLength) return `must have at most ${maxLength} characters`;
  if (format !== undefined && FORMATS[format]?.(text) !== true) return `must be a valid ${format}`;
  return pattern === undefined ? undefined : findPatternProblem(pattern, text, budget);
}

function findPatternProblem(pattern: string, text: string, budget: Budget): string | undefined {
  const translated = translate(pattern);
  if (typeof translated === 'string') return `cannot be checked: its pattern ${translated}`;
  budget.steps -= translated.size * (text.length + 1);
  if (budget.steps < 0) return 'is too long for its pattern';
  return compile(translated).matcher(text).find() ? undefined : `must match ${pattern}`;
}

function findNumberProblem({ type, minimum = -Infinity, maximum = Infinity }: InputField, value: Json): string | undefined {
  if (typeof value !== 'number') return 'must be a number';
  if (type === 'integer' && !Number.isInteger(value)) return 'must be a whole number';
  if (value < minimum) return `must be at least ${minimum}`;
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
