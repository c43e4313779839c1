/**
 * Checks answers against their prompts. What is needed of this node's newest prompts is kept, so that an answer costs one call
 * to the engine and not two. A prompt never changes; whether it is still pending only the engine knows.
 */
import type { Answer } from '../../protocol/confirmation.js';
import { isDecided, type Confirmation, type Prompt, type Scope } from '../engine/engine.js';
import { NotificationError } from '../notification.errors.js';
import { checkAnswer, type AnswerRules, type GivenAnswer } from './answer.js';
import { answerToDecided } from './decision-result.js';

/** The oldest is forgotten first. */
const MOST = 10_000;
/** Of a prompt with more choices, or with a form, nothing is kept: the memory is bounded. */
const MOST_CHOICES = 16;

export class AnswerChecks {
  private readonly rules = new Map<string, AnswerRules>();

  /** @param read reads a confirmation from the engine */
  constructor(private readonly read: (callbackId: string, scope: Scope) => Promise<Confirmation>) {}

  opened({ callbackId, prompt }: Confirmation): void {
    const rules = rulesOf(prompt);
    if (!rules) return;
    this.rules.set(callbackId, rules);
    const [oldest] = this.rules.keys();
    if (this.rules.size > MOST && oldest !== undefined) this.rules.delete(oldest);
  }

  decided(callbackId: string): void {
    this.rules.delete(callbackId);
  }

  /**
   * The answer as it counts, checked from memory.
   * @returns `undefined` for an unknown prompt and an answer that is not valid. What is wrong is said only to a caller who may
   *   see the prompt, and only while it is pending: the engine knows both.
   */
  known(callbackId: string, given: GivenAnswer): Answer | undefined {
    const rules = this.rules.get(callbackId);
    return rules && validOrNot(callbackId, rules, given);
  }

  /**
   * The answer as it counts, if the prompt is pending.
   * @throws NotFoundError, InvalidAnswerError, StalePromptError, AlreadyResolvedError, EngineUnavailableError
   */
  async stored(callbackId: string, scope: Scope, given: GivenAnswer): Promise<Answer> {
    const prompt = await this.read(callbackId, scope);
    return isDecided(prompt) ? answerToDecided(prompt, given) : checkAnswer(callbackId, prompt.prompt, given);
  }
}

/** @returns nothing for an answer that is not valid */
function validOrNot(callbackId: string, rules: AnswerRules, given: GivenAnswer): Answer | undefined {
  try {
    return checkAnswer(callbackId, rules, given);
  } catch (error) {
    if (error instanceof NotificationError) return undefined;
    throw error;
  }
}

function rulesOf({ choices, inputSchema, digest, editable }: Prompt): AnswerRules | undefined {
  if (inputSchema || (choices?.length ?? 0) > MOST_CHOICES) return undefined;
  return { choices: choices?.map(({ id, proceed }) => ({ id, proceed })), digest, editable };
}
