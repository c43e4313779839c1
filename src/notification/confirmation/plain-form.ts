/**
 * Brings a form as tools write it (pydantic, zod) into the plain subset that clients draw.
 *
 *  1. A field that may also be `null` becomes an optional field of its other type. An answer leaves it out.
 *  2. A `const` becomes the only option of a text, or both bounds of a number.
 *  3. `examples` and a `default` of `null` are dropped: a form does not need them.
 *
 * Whatever else is outside the subset stays, and `findFormFault` names it.
 */
import type { JsonObject } from '../../protocol/confirmation.js';
import { isObject } from '../../protocol/decode.js';

export function plainForm({ examples: _examples, ...form }: JsonObject): JsonObject {
  const { properties, required } = form;
  if (!isObject(properties)) return form;
  const nullable = new Set<unknown>();
  const plain: JsonObject = {};
  for (const [name, field] of Object.entries(properties)) {
    const other = isObject(field) ? withoutNull(field) : undefined;
    if (other) nullable.add(name);
    plain[name] = isObject(field) ? plainField(other ?? field) : field;
  }
  const isRequired = Array.isArray(required) && { required: required.filter((name) => !nullable.has(name)) };
  return { ...form, properties: plain, ...isRequired };
}

/** The field without its possible `null`; `undefined` where it has none. */
function withoutNull(field: JsonObject): JsonObject | undefined {
  const { type, enum: options } = field;
  if (Array.isArray(type) && type.length === 2 && type.includes('null'))
    return {
      ...field,
      type: type.find((each) => each !== 'null') ?? 'null',
      ...(Array.isArray(options) && { enum: options.filter((option) => option !== null) }),
    };
  for (const keyword of ['anyOf', 'oneOf']) {
    const { [keyword]: kinds, ...rest } = field;
    if (!Array.isArray(kinds) || kinds.length !== 2) continue;
    const [kind, ...more] = kinds.filter((each) => !(isObject(each) && each['type'] === 'null'));
    if (isObject(kind) && more.length === 0) return { ...kind, ...rest };
  }
  return undefined;
}

function plainField({ examples: _examples, const: only, ...field }: JsonObject): JsonObject {
  if (field['default'] === null) delete field['default'];
  if (isObject(field['items'])) field['items'] = plainField(field['items']);
  if (typeof only === 'string') return { ...field, enum: [only] };
  if (typeof only === 'number') return { ...field, minimum: only, maximum: only };
  return only === undefined ? field : { ...field, const: only };
}
