/** What a caller gets who answers or withdraws: the decision, or an error that carries the decision that stands. */
import type { Answer } from '../../protocol/confirmation.js';
import type { DecideResult, Decided } from '../engine/confirmation-store.js';
import { AlreadyResolvedError, NotFoundError } from '../notification.errors.js';
import { checkAnswer, type GivenAnswer } from './answer.js';
import { confirmationView } from './presentation.js';

export interface DecisionResult {
  confirmation: Decided;
  /** Whether this call decided; `false` if it repeats the one that did. */
  isNew: boolean;
}

/** @throws NotFoundError, AlreadyResolvedError */
export function decisionResult(result: DecideResult, callbackId: string): DecisionResult {
  if (result.status === 'not_found') throw new NotFoundError('confirmation', callbackId);
  const { confirmation } = result;
  if (result.status === 'already_resolved') throw new AlreadyResolvedError(confirmationView(confirmation));
  return { confirmation, isNew: result.status === 'accepted' };
}

/**
 * An answer to a decided prompt can only repeat the one that decided.
 * @throws AlreadyResolvedError for an answer that is not valid: it is no repetition
 */
export function answerToDecided(prompt: Decided, given: GivenAnswer): Answer {
  try {
    return checkAnswer(prompt.callbackId, prompt.prompt, given);
  } catch {
    throw new AlreadyResolvedError(confirmationView(prompt));
  }
}
