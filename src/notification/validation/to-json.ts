import type { Json } from '../../protocol/confirmation.js';
import { asFields, copyJson } from '../../protocol/json.js';
import { InvalidMessageError } from '../notification.errors.js';

/**
 * The JSON of a caller's value.
 * @param root the field name for a fault of the value itself
 * @throws InvalidMessageError naming the field that JSON cannot carry unchanged
 */
export function toJson(value: unknown, root: string): Json {
  const result = copyJson(value);
  if ('fault' in result) throw new InvalidMessageError(asFields(result.fault, root));
  return result.json;
}
