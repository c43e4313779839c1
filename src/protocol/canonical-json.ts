/**
 * Canonical JSON (RFC 8785): equal values have equal text, whatever the order of their properties.
 *
 * @param value JSON, checked before: no number that is not finite, no lone surrogate. Properties that are `undefined` are
 *   left out, as `JSON.stringify` does.
 * @returns `undefined` for `undefined`
 * @example
 * canonicalize({ b: 1, a: [true, null] }); // '{"a":[true,null],"b":1}'
 */
export function canonicalize(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalize(item) ?? 'null').join(',')}]`;
  const properties = Object.entries(value)
    .filter(([, property]) => property !== undefined)
    // By UTF-16 code units, as the default order of text is.
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, property]) => `${JSON.stringify(name)}:${canonicalize(property)}`);
  return `{${properties.join(',')}}`;
}
