/**
 * What a user answers, checked against what was asked. A wrong answer names its fields and costs nothing.
 */
import { MAX_PROPOSAL_BYTES, type Answer, type Choice, type Json, type JsonObject } from '../../protocol/confirmation.js';
import type { FieldErrors } from '../../protocol/messages.js';
import type { Prompt } from '../engine/engine.js';
import { InvalidAnswerError, InvalidMessageError, StalePromptError } from '../notification.errors.js';
import { isObject } from '../../protocol/decode.js';
import { NUL_RULE } from '../validation/field-rules.js';
import { toJson } from '../validation/to-json.js';
import { checkValues } from './form-values.js';

/** What of a prompt an answer is checked against. */
export interface AnswerRules extends Pick<Prompt, 'inputSchema' | 'digest' | 'editable'> {
  choices?: readonly Pick<Choice, 'id' | 'proceed'>[];
}

/** An answer as it comes: from a `confirm` frame or by REST. */
export interface GivenAnswer {
  proceed?: boolean | null;
  feedback?: string | null;
  choice?: string | null;
  values?: JsonObject | null;
  /**
   * Replaces the prompt's `proposal`, where it is `editable` and the answer proceeds. Any JSON but `null`, which is refused there
   * and is as absent where nothing can be edited.
   */
  edited?: Json;
  /** Echoes the prompt's digest, where it has one. */
  digest?: string | null;
}

/**
 * The answer as it was given, if it can be one: its fields of their types, and nothing in it that JSON cannot carry unchanged.
 * @param maxBytes of `values` as JSON
 * @throws InvalidMessageError
 */
export function readAnswer(given: GivenAnswer, maxBytes: number): GivenAnswer {
  const { proceed, feedback, choice, values, edited, digest } = given;
  const answer = toJson({ proceed, feedback, choice, values, edited, digest }, '(answer)') as GivenAnswer;
  const fields: FieldErrors = {};
  if (answer.proceed != null && typeof answer.proceed !== 'boolean') fields['proceed'] = 'must be true or false';
  for (const name of ['feedback', 'choice', 'digest'] as const) {
    const text = answer[name];
    if (text != null && typeof text !== 'string') fields[name] = 'must be a string';
  }
  // SQLite's driver cuts a text at a NUL.
  if (typeof answer.feedback === 'string' && answer.feedback.includes('\0')) fields['feedback'] = NUL_RULE;
  if (answer.values != null && !isObject(answer.values)) fields['values'] = 'must be an object';
  else if (answer.values != null && Buffer.byteLength(JSON.stringify(answer.values)) > maxBytes)
    fields['values'] = `must have at most ${maxBytes} bytes`;
  if (answer.edited != null && Buffer.byteLength(JSON.stringify(answer.edited)) > MAX_PROPOSAL_BYTES)
    fields['edited'] = `must have at most ${MAX_PROPOSAL_BYTES} bytes`;
  if (Object.keys(fields).length > 0) throw new InvalidMessageError(fields);
  return answer;
}

/**
 * The answer as it counts: a choice sets `proceed`; without one, absent means `false` [old].
 * @throws InvalidAnswerError, StalePromptError
 */
export function checkAnswer(callbackId: string, prompt: AnswerRules, given: GivenAnswer): Answer {
  if (prompt.digest !== undefined && given.digest != null && given.digest !== prompt.digest)
    throw new StalePromptError(callbackId);
  const fields: FieldErrors = {};
  if (prompt.digest !== undefined && given.digest == null) fields['digest'] = 'is required: echo the digest of what was shown';
  const choice = given.choice == null ? undefined : prompt.choices?.find(({ id }) => id === given.choice);
  if (given.choice != null && !choice) fields['choice'] = 'is none of the choices';
  if (choice && given.proceed != null && given.proceed !== choice.proceed)
    fields['proceed'] = `contradicts the choice, which means ${choice.proceed}`;
  const proceed = choice?.proceed ?? given.proceed ?? false;
  if (prompt.inputSchema) {
    Object.assign(fields, given.values == null && !proceed ? {} : checkValues(prompt.inputSchema, given.values ?? {}, proceed));
  } else if (given.values != null) {
    fields['values'] = 'this prompt has no form';
  }
  if (given.edited != null) {
    if (!prompt.editable) fields['edited'] = 'the proposal of this prompt is not editable';
    else if (!proceed) fields['edited'] = 'needs an answer that proceeds';
  } else if (given.edited === null && prompt.editable && proceed) {
    // A user that replaces a proposal by nothing does not agree to the proposal.
    fields['edited'] = 'must not be null';
  }
  if (Object.keys(fields).length > 0) throw new InvalidAnswerError(fields, callbackId);
  return {
    proceed,
    feedback: given.feedback ?? undefined,
    choice: choice?.id,
    values: given.values ?? undefined,
    edited: given.edited ?? undefined,
  };
}
