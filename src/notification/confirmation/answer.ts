/**
 * What a user answers, checked against what was asked. A wrong answer names its fields and costs nothing.
 */
import type { Answer, JsonObject } from '../../protocol/confirmation.js';
import type { FieldErrors } from '../../protocol/messages.js';
import type { Prompt } from '../engine/engine.js';
import { InvalidAnswerError, StalePromptError } from '../notification.errors.js';
import { compileForm } from './form.js';

/** An answer as it comes: from a `confirm` frame or by REST. */
export interface GivenAnswer {
  proceed?: boolean | null;
  feedback?: string | null;
  choice?: string | null;
  values?: JsonObject | null;
  /** Echoes the prompt's digest, where it has one. */
  digest?: string | null;
}

/**
 * The answer as it counts: a choice sets `proceed`; without one, absent means `false` [old].
 * @throws InvalidAnswerError, StalePromptError
 */
export function checkAnswer(callbackId: string, prompt: Prompt, given: GivenAnswer): Answer {
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
    Object.assign(
      fields,
      given.values == null && !proceed ? {} : compileForm(prompt.inputSchema).check(given.values ?? {}, proceed),
    );
  } else if (given.values != null) {
    fields['values'] = 'this prompt has no form';
  }
  if (Object.keys(fields).length > 0) throw new InvalidAnswerError(fields, callbackId);
  return {
    proceed,
    feedback: given.feedback ?? undefined,
    choice: choice?.id,
    values: given.values ?? undefined,
  };
}
