/** An answer with what the card's fields hold: feedback, the form's values, the edited proposal. */
import type { GivenAnswer } from '../client/index.js';
import { proposalText } from './asked-view.js';
import type { Card } from './cards.js';
import type { InputSchema, JsonObject } from '../protocol/confirmation.js';
import type { Words } from './words.js';

/**
 * Sets `card.fields` where a text that must be JSON is none, and where the form is not there yet.
 * @param readForm absent until it is loaded
 * @param key of the fields in the document
 */
export function completed(
  root: ParentNode,
  card: Card,
  given: GivenAnswer,
  words: Words,
  readForm: ((root: ParentNode, schema: InputSchema, key: string) => JsonObject) | undefined,
  key = card.key,
): GivenAnswer {
  const { asked, edited } = card;
  const feedback = root.querySelector<HTMLTextAreaElement>(`#${key}-feedback`)?.value.trim();
  card.fields = {};
  const answer: GivenAnswer = { ...given, ...(feedback && { feedback }) };
  if (asked.input_schema && readForm) answer.values = readForm(root, asked.input_schema, key);
  else if (asked.input_schema) card.fields = { values: words.loading };
  if (edited === undefined || edited === proposalText(asked.proposal)) return answer;
  try {
    answer.edited = typeof asked.proposal === 'string' ? edited : (JSON.parse(edited) as unknown);
  } catch {
    card.fields = { edited: words.notJson };
  }
  return answer;
}
