/** The server and the client find the same faults in an answer. */
import { checkAnswer as checkInClient } from '../../src/client/index.js';
import { checkAnswer as checkInServer } from '../../src/notification/confirmation/answer.js';
import { findFormFault } from '../../src/notification/confirmation/form.js';
import type { Prompt } from '../../src/notification/engine/engine.js';
import { InvalidAnswerError } from '../../src/notification/index.js';
import { ANSWER_CASES, type AnswerCase } from '../support/answer-cases.js';

function faultsInServer({ prompt, answer }: AnswerCase): object {
  const asked = { choices: prompt.choices, inputSchema: prompt.input_schema } as Prompt;
  try {
    checkInServer('id', asked, answer);
    return {};
  } catch (error) {
    if (error instanceof InvalidAnswerError) return error.fields ?? {};
    throw error;
  }
}

describe('an answer', () => {
  it.each(ANSWER_CASES.map((one) => [one.what, one] as const))('is judged alike by server and client: %s', (_what, one) => {
    if (one.prompt.input_schema) expect(findFormFault(one.prompt.input_schema)).toBeUndefined();
    expect(faultsInServer(one)).toEqual(one.faults);
    expect(checkInClient(one.prompt, one.answer)).toEqual(one.faults);
  });

  it.each([
    '^(a+)+$',
    '^(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)$',
    '^a*a*a*a*a*a*$',
    'a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa$',
  ])('is left to the server where its pattern may take a browser for ever: %s', (pattern) => {
    const schema = { type: 'object' as const, properties: { text: { type: 'string' as const, pattern } } };
    const answer = { proceed: true, values: { text: `${'a'.repeat(40)}!` } };
    expect(checkInClient({ input_schema: schema }, answer)).toEqual({});
  });
});
