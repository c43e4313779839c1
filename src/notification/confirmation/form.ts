/**
 * Forms: a prompt's `inputSchema`, the flat subset of JSON Schema of MCP's elicitation.
 *
 *  1. A schema is checked when its prompt is opened, all the way down. Whatever is outside the subset is refused by its place.
 *  2. Everything is bounded: the schema here, the values by the size of a frame, patterns by `pattern.ts`. So one form
 *     or answer takes milliseconds, whatever is in it, and nothing need be cached.
 */
import type { InputField, InputSchema } from '../../protocol/confirmation.js';
import { isObject } from '../../protocol/decode.js';
import { FORMATS } from '../../protocol/formats.js';
import { within, type JsonFault } from '../../protocol/json.js';
import { compile, MAX_SIZE, translate } from './pattern.js';

const MAX_FIELDS = 200;
const MAX_OPTIONS = 1000;
const MAX_PATTERNS = 64;
const MAX_BYTES = 65_536;
const UNSUPPORTED = 'is not supported';

/** What is wrong with the value of a keyword; `undefined` when nothing is. */
type KeywordCheck = (value: unknown) => string | JsonFault | undefined;

const isText: KeywordCheck = (value) => (typeof value === 'string' ? undefined : 'must be a string');
const isFlag: KeywordCheck = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const isNumber: KeywordCheck = (value) => (typeof value === 'number' ? undefined : 'must be a number');
const isCount: KeywordCheck = (value) =>
  Number.isInteger(value) && (value as number) >= 0 ? undefined : 'must be a whole number, 0 or more';
const isTexts: KeywordCheck = (value) =>
  Array.isArray(value) && value.every((each) => typeof each === 'string') ? undefined : 'must be a list of strings';

const TITLED: Record<string, KeywordCheck> = { title: isText, description: isText };

const NUMERIC: Record<string, KeywordCheck> = {
  default: isNumber,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
};

const FIELDS: Record<InputField['type'], Record<string, KeywordCheck>> = {
  string: {
    default: isText,
    minLength: isCount,
    maxLength: isCount,
    pattern: isText,
    format: (value) => (typeof value === 'string' && Object.hasOwn(FORMATS, value) ? undefined : `must be one of ${formats()}`),
    enum: isOptions,
    enumNames: isTexts,
    oneOf: isTitledOptions,
  },
  number: NUMERIC,
  integer: NUMERIC,
  boolean: { default: isFlag },
  array: { default: isTexts, items: isItems, minItems: isCount, maxItems: isCount, uniqueItems: isFlag },
};

const FORM: Record<string, KeywordCheck> = {
  ...TITLED,
  $schema: isText,
  type: (value) => (value === 'object' ? undefined : "must be 'object'"),
  properties: isProperties,
  required: isTexts,
  additionalProperties: (value) => (value === false ? undefined : 'must be false'),
};

/** Why a schema cannot be used, with its place. A keyword that is not supported is a fault of the schema as a whole. */
export function findFormFault(schema: unknown): JsonFault | undefined {
  const fault = findSchemaFault(schema) ?? findPatternFault((schema as InputSchema).properties);
  return fault?.problem.startsWith(UNSUPPORTED) ? { path: '', problem: `${fault.path} ${fault.problem}` } : fault;
}

/** Everything but the patterns, which take most of the time. */
export function findSchemaFault(schema: unknown): JsonFault | undefined {
  if (!isObject(schema)) return { path: '', problem: 'must be an object' };
  if (Buffer.byteLength(JSON.stringify(schema)) > MAX_BYTES) return { path: '', problem: `must have at most ${MAX_BYTES} bytes` };
  const fault = findKeywordFault(schema, FORM, 'a form');
  if (fault) return fault;
  const missing = ['type', 'properties'].find((keyword) => !Object.hasOwn(schema, keyword));
  if (missing !== undefined) return { path: missing, problem: 'is required' };
  const { properties, required = [] } = schema as unknown as InputSchema;
  const unknown = required.find((name) => !Object.hasOwn(properties, name));
  if (unknown !== undefined) return { path: 'required', problem: `names ${unknown}, which is no property` };
  return new Set(required).size < required.length ? { path: 'required', problem: 'must not name a property twice' } : undefined;
}

function isProperties(value: unknown): string | JsonFault | undefined {
  if (!isObject(value)) return 'must be an object';
  const fields = Object.entries(value);
  if (fields.length > MAX_FIELDS) return `must have at most ${MAX_FIELDS} fields`;
  for (const [name, field] of fields) {
    const fault = findFieldFault(field);
    if (fault) return within(name, fault);
  }
  return undefined;
}

function findFieldFault(field: unknown): JsonFault | undefined {
  if (!isObject(field)) return { path: '', problem: 'must be an object' };
  const { type } = field;
  if (typeof type !== 'string' || !Object.hasOwn(FIELDS, type))
    return { path: 'type', problem: type === undefined ? 'is required' : `must be one of ${Object.keys(FIELDS).join(', ')}` };
  const keywords = { ...TITLED, type: isText, ...FIELDS[type as InputField['type']] };
  return findKeywordFault(field, keywords, type) ?? findContradiction(field as unknown as InputField);
}

/** Keywords that are right by themselves, but not together. */
function findContradiction(field: InputField): JsonFault | undefined {
  const {
    minLength = 0,
    maxLength = Infinity,
    minimum = -Infinity,
    maximum = Infinity,
    exclusiveMinimum = -Infinity,
    exclusiveMaximum = Infinity,
    minItems = 0,
    maxItems = Infinity,
  } = field;
  if (minLength > maxLength) return { path: 'minLength', problem: 'is more than maxLength' };
  if (minimum > maximum) return { path: 'minimum', problem: 'is more than maximum' };
  if (exclusiveMinimum >= Math.min(maximum, exclusiveMaximum))
    return { path: 'exclusiveMinimum', problem: 'is not less than the maximum' };
  if (minimum >= exclusiveMaximum) return { path: 'minimum', problem: 'is not less than exclusiveMaximum' };
  if (minItems > maxItems) return { path: 'minItems', problem: 'is more than maxItems' };
  if (field.type === 'array' && !field.items) return { path: 'items', problem: 'is required: it lists the options' };
  if (field.enum && field.oneOf) return { path: 'oneOf', problem: 'must not stand beside enum' };
  if (field.enumNames && field.enumNames.length !== field.enum?.length)
    return { path: 'enumNames', problem: 'must name each value of enum' };
  return undefined;
}

function findKeywordFault(
  schema: Record<string, unknown>,
  keywords: Record<string, KeywordCheck>,
  of: string,
): JsonFault | undefined {
  for (const [keyword, value] of Object.entries(schema)) {
    const check = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined;
    if (!check) return { path: keyword, problem: `${UNSUPPORTED} for ${of}` };
    const fault = check(value);
    if (fault !== undefined) return within(keyword, typeof fault === 'string' ? { path: '', problem: fault } : fault);
  }
  return undefined;
}

function isOptions(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return 'must be a list of strings, not empty';
  if (value.length > MAX_OPTIONS) return `must have at most ${MAX_OPTIONS} options`;
  if (!value.every((option) => typeof option === 'string')) return 'must be a list of strings';
  return new Set(value).size < value.length ? 'must not have an option twice' : undefined;
}

function isTitledOptions(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'must be a list of options, each {const, title}';
  if (value.length > MAX_OPTIONS) return `must have at most ${MAX_OPTIONS} options`;
  const isTitled = (option: unknown): boolean =>
    isObject(option) &&
    Object.keys(option).length === 2 &&
    typeof option['const'] === 'string' &&
    typeof option['title'] === 'string';
  if (!value.every(isTitled)) return 'must be a list of options, each {const, title}';
  return isOptions(value.map((option: { const: string }) => option.const));
}

function isItems(value: unknown): string | JsonFault | undefined {
  if (!isObject(value)) return 'must be an object';
  const keywords: Record<string, KeywordCheck> = {
    type: (type) => (type === 'string' ? undefined : "must be 'string'"),
    enum: isOptions,
    anyOf: isTitledOptions,
  };
  const fault = findKeywordFault(value, keywords, 'items');
  if (fault) return fault;
  return Number('enum' in value) + Number('anyOf' in value) === 1 ? undefined : 'must list the options by enum or anyOf';
}

function findPatternFault(properties: InputSchema['properties']): JsonFault | undefined {
  const patterns = Object.entries(properties).flatMap(([name, { pattern }]) =>
    pattern === undefined ? [] : [{ name, pattern }],
  );
  if (patterns.length > MAX_PATTERNS) return { path: 'properties', problem: `must have at most ${MAX_PATTERNS} patterns` };
  let size = 0;
  for (const { name, pattern } of patterns) {
    const at = (problem: string): JsonFault => ({ path: `properties.${name}.pattern`, problem });
    const translated = translate(pattern);
    if (typeof translated === 'string') return at(translated);
    size += translated.size;
    if (size > MAX_SIZE) return at('is too large, together with the others');
    try {
      compile(translated);
    } catch (error) {
      return at(`cannot be computed (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  return undefined;
}

const formats = (): string => Object.keys(FORMATS).join(', ');
