/** A user's values, checked against the prompt's form with patterns that run in linear time. */
import type { InputSchema, JsonObject } from '../../protocol/confirmation.js';
import { findValueFaults, type PatternCheck } from '../../protocol/form-values.js';
import type { FieldErrors } from '../../protocol/messages.js';
import { findSchemaFault } from './form.js';
import { compile, translate } from './pattern.js';

/** Instructions × characters that the patterns of one answer may take: some 20 ms. */
const MAX_PATTERN_STEPS = 500_000;

/**
 * @param complete whether required fields must be there, as in an answer that proceeds
 * @returns one fault for each faulty field, at most 20
 */
export function checkValues(schema: InputSchema, values: JsonObject, complete: boolean): FieldErrors {
  const unusable = findSchemaFault(schema);
  if (unusable) return { values: `the form cannot be used (${unusable.path}: ${unusable.problem})` };
  return findValueFaults(schema, values, complete, patternCheck());
}

/** Checks the texts of one answer within one bound. */
function patternCheck(): PatternCheck {
  let steps = MAX_PATTERN_STEPS;
  return (pattern, text) => {
    const translated = translate(pattern);
    if (typeof translated === 'string') return `cannot be checked: its pattern ${translated}`;
    steps -= translated.size * (text.length + 1);
    if (steps < 0) return 'is too long to be checked against its pattern';
    return compile(translated).matcher(text).find() ? undefined : `must match ${pattern}`;
  };
}
