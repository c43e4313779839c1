/** An answer, checked before it is sent, as the server will check it. */
import { findValueFaults } from '../protocol/form-values.js';
import type { FieldErrors } from '../protocol/messages.js';
import type { GivenAnswer, OpenConfirmation } from './confirmations.js';

/**
 * What the server would refuse of an answer: field name -> problem, empty when nothing. Names and problems are those of
 * the server's `INVALID_ANSWER`. A pattern that may take a browser long is left to the server.
 *
 * @example
 * const problems = checkAnswer(confirmation, { proceed: true, values: { email } });
 * emailInput.setCustomValidity(problems['values.email'] ?? '');
 */
export function checkAnswer(
  { choices = [], input_schema: schema }: Pick<OpenConfirmation, 'choices' | 'input_schema'>,
  answer: GivenAnswer,
): FieldErrors {
  const fields: FieldErrors = {};
  const choice = choices.find(({ id }) => id === answer.choice);
  if (answer.choice != null && !choice) fields['choice'] = 'is none of the choices';
  if (choice && answer.proceed != null && answer.proceed !== choice.proceed)
    fields['proceed'] = `contradicts the choice, which means ${choice.proceed}`;
  const proceed = choice?.proceed ?? answer.proceed ?? false;
  if (schema && (answer.values || proceed))
    Object.assign(fields, findValueFaults(schema, answer.values ?? {}, proceed, findPatternProblem));
  else if (answer.values) fields['values'] = 'this prompt has no form';
  return fields;
}

/** Steps that a browser may take for one pattern: some milliseconds. */
const MOST_STEPS = 1e6;

/**
 * The browser's engine backtracks, where the server's takes linear time. What may take long is left to the server: a
 * repeated group, and many repetitions or alternatives beside a long text.
 */
function findPatternProblem(pattern: string, text: string): string | undefined {
  const choices = pattern.match(/[*+?{|]/g)?.length ?? 0;
  if (/\)[*+?{]/.test(pattern) || (text.length + 1) ** (choices + 1) > MOST_STEPS) return undefined;
  return new RegExp(pattern, 'u').test(text) ? undefined : `must match ${pattern}`;
}
