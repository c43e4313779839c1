/**
 * Forms: a prompt's `inputSchema`, the flat subset of JSON Schema of MCP's elicitation, compiled once for each schema.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { InputField, InputSchema, JsonObject } from '../../protocol/confirmation.js';
import type { FieldErrors } from '../../protocol/messages.js';

export interface Form {
  /** Why the schema cannot be used; absent when it can. */
  problem?: string;
  /** @returns what is wrong with the values; `complete` asks for the required ones as well */
  check(values: JsonObject, complete: boolean): FieldErrors;
}

const FIELD_KEYWORDS: Record<InputField['type'], readonly string[]> = {
  string: ['minLength', 'maxLength', 'pattern', 'format', 'enum', 'enumNames', 'oneOf'],
  number: ['minimum', 'maximum'],
  integer: ['minimum', 'maximum'],
  boolean: [],
  array: ['items', 'minItems', 'maxItems', 'uniqueItems'],
};
const ANY_KEYWORDS = ['type', 'title', 'description', 'default'];
const FORM_KEYWORDS = ['type', 'title', 'description', 'properties', 'required'];

/** Compiling costs milliseconds; forms repeat. */
const CACHE_SIZE = 200;
const cache = new Map<string, Form>();

export function compileForm(schema: InputSchema): Form {
  const source = JSON.stringify(schema);
  const known = cache.get(source);
  if (known) {
    cache.delete(source);
    cache.set(source, known);
    return known;
  }
  const form = build(schema);
  cache.set(source, form);
  const [oldest] = cache.keys();
  if (cache.size > CACHE_SIZE && oldest !== undefined) cache.delete(oldest);
  return form;
}

function build(schema: InputSchema): Form {
  const problem = findProblem(schema);
  if (problem) return { problem, check: () => ({}) };
  const { required: _required, ...optional } = schema;
  let complete: ValidateFunction;
  let partial: ValidateFunction;
  try {
    // An instance of its own: it keeps every schema it ever compiled, and goes when the form leaves the cache.
    const ajv = formats.default(new Ajv({ allErrors: true, strict: true, keywords: ['enumNames'] }));
    complete = ajv.compile({ ...schema, additionalProperties: false });
    partial = ajv.compile({ ...optional, additionalProperties: false });
  } catch (cause) {
    return { problem: cause instanceof Error ? cause.message : String(cause), check: () => ({}) };
  }
  return {
    check: (values, wantsAll) => {
      const validate = wantsAll ? complete : partial;
      return validate(values) ? {} : Object.fromEntries((validate.errors ?? []).map(describe));
    },
  };
}

/** What in a schema is outside the subset. */
function findProblem(schema: InputSchema): string | undefined {
  const unknown = Object.keys(schema).find((keyword) => !FORM_KEYWORDS.includes(keyword));
  if (unknown) return `${unknown} is not supported`;
  for (const [name, field] of Object.entries(schema.properties)) {
    const allowed = [...ANY_KEYWORDS, ...FIELD_KEYWORDS[field.type]];
    const extra = Object.keys(field).find((keyword) => !allowed.includes(keyword));
    if (extra) return `properties.${name}.${extra} is not supported for ${field.type}`;
    if (field.type === 'array' && !field.items?.enum && !field.items?.anyOf)
      return `properties.${name}.items must list its values by enum or anyOf`;
  }
  const missing = schema.required?.find((name) => !Object.hasOwn(schema.properties, name));
  return missing === undefined ? undefined : `required names ${missing}, which is no property`;
}

function describe(error: ErrorObject): [field: string, problem: string] {
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  const name = params.missingProperty ?? params.additionalProperty ?? error.instancePath.slice(1).replaceAll('/', '.');
  if (params.missingProperty !== undefined) return [`values.${name}`, 'is required'];
  if (params.additionalProperty !== undefined) return [`values.${name}`, 'is not part of the form'];
  return [`values.${name}`, error.message ?? 'is not valid'];
}
