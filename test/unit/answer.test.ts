import { checkAnswer, type GivenAnswer } from '../../src/notification/confirmation/answer.js';
import type { Prompt } from '../../src/notification/engine/engine.js';
import { NotificationError } from '../../src/notification/notification.errors.js';

const PLAIN: Prompt = { stepResult: { message: 'Go on?' } };
const CHOICES: Prompt = {
  stepResult: { message: 'Go on?' },
  choices: [
    { id: 'go', label: 'Go', proceed: true },
    { id: 'stop', label: 'Stop', proceed: false },
  ],
};
const FORM: Prompt = {
  stepResult: { message: 'Go on?' },
  inputSchema: { type: 'object', properties: { size: { type: 'integer' } }, required: ['size'] },
};
const IRREVERSIBLE: Prompt = { stepResult: { message: 'Go on?' }, risk: 'irreversible', digest: 'abc' };

/** What the answer counts as, or the code and the faulty fields. */
function outcome(prompt: Prompt, given: GivenAnswer): unknown {
  try {
    return checkAnswer('id', prompt, given);
  } catch (error) {
    if (!(error instanceof NotificationError)) throw error;
    expect(error.callbackId).toBe('id');
    return [error.code, ...Object.keys(error.fields ?? {})];
  }
}

describe('an answer', () => {
  it.each<[string, Prompt, GivenAnswer, unknown]>([
    ['nothing', PLAIN, {}, { proceed: false }],
    ['null everywhere', PLAIN, { proceed: null, feedback: null, choice: null, values: null, digest: null }, { proceed: false }],
    ['yes', PLAIN, { proceed: true, feedback: 'fine' }, { proceed: true, feedback: 'fine' }],
    ['a choice of none', PLAIN, { choice: 'go' }, ['INVALID_ANSWER', 'choice']],
    ['values without a form', PLAIN, { values: {} }, ['INVALID_ANSWER', 'values']],
    ['no choice where there are some', CHOICES, { proceed: true }, { proceed: true }],
    ['a choice that proceeds', CHOICES, { choice: 'go' }, { proceed: true, choice: 'go' }],
    ['a choice that does not', CHOICES, { choice: 'stop' }, { proceed: false, choice: 'stop' }],
    ['a choice and the same proceed', CHOICES, { choice: 'go', proceed: true }, { proceed: true, choice: 'go' }],
    ['a choice and another proceed', CHOICES, { choice: 'stop', proceed: true }, ['INVALID_ANSWER', 'proceed']],
    ['an unknown choice', CHOICES, { choice: 'other', proceed: true }, ['INVALID_ANSWER', 'choice']],
    ['a choice by its label', CHOICES, { choice: 'Go' }, ['INVALID_ANSWER', 'choice']],
    ['values that are right', FORM, { proceed: true, values: { size: 1 } }, { proceed: true, values: { size: 1 } }],
    ['yes without what is required', FORM, { proceed: true }, ['INVALID_ANSWER', 'values.size']],
    ['no without what is required', FORM, { proceed: false }, { proceed: false }],
    ['no with wrong values', FORM, { proceed: false, values: { size: 'x' } }, ['INVALID_ANSWER', 'values.size']],
    ['the digest of what was shown', IRREVERSIBLE, { proceed: true, digest: 'abc' }, { proceed: true }],
    ['the digest of something else', IRREVERSIBLE, { proceed: true, digest: 'abd' }, ['STALE_PROMPT']],
    ['no digest', IRREVERSIBLE, { proceed: true }, ['INVALID_ANSWER', 'digest']],
    [
      'several faults',
      { ...CHOICES, ...FORM },
      { choice: 'x', values: { size: 'x' } },
      ['INVALID_ANSWER', 'choice', 'values.size'],
    ],
  ])('is judged by the rule for %s', (_what, prompt, given, expected) => {
    expect(outcome(prompt, given)).toEqual(expected);
  });
});
