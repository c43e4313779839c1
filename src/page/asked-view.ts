/** What a card asks, in full: title, step, task, message, error, result, proposal. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { CardContext } from './card-context.js';
import type { Card } from './cards.js';
import { tree, visible } from './text.js';
import { ageOf } from './times.js';
import { fill, type Words } from './words.js';

export const titleOf = ({ asked }: Card, words: Words): string =>
  asked.title ?? asked.step_name ?? asked.message ?? words.confirmation;

/** A proposal as it is edited: text as it is, anything else as JSON. */
export const proposalText = (proposal: unknown): string =>
  typeof proposal === 'string' ? proposal : JSON.stringify(proposal, null, 2);

/** @param key makes ids unique in the document */
export function askedView(card: Card, context: CardContext, key: string): TemplateResult {
  const { asked } = card;
  const { words, language, now } = context;
  const title = titleOf(card, words);
  const name = asked.step_name && asked.step_name !== title && visible(fill(words.note, { text: asked.step_name }));
  const facts = [
    html`${fill(words.step, { n: asked.step })}${name ? html` ${name}` : nothing}`,
    visible(fill(words.task, { id: asked.task_id })),
    ageOf(now - asked.timestamp * 1000, language),
    asked.status && visible(asked.status),
    asked.completed && words.completed,
  ].filter(Boolean);
  return html`<h3 id="${key}-t" part="title">${visible(title)}</h3>
    <small part="meta">${facts.map((fact, index) => [index ? words.dot : '', fact])}</small>
    ${asked.message && asked.message !== title ? html`<p part="message">${visible(asked.message)}</p>` : nothing}
    ${errorOf(card, words)} ${asked.result == null ? nothing : boxed('result', words.result, tree(asked.result))}
    ${
      asked.proposal === undefined
        ? nothing
        : boxed(
            'proposal',
            words.proposal,
            typeof asked.proposal === 'string' ? html`<div class="code">${visible(asked.proposal)}</div>` : tree(asked.proposal),
          )
    }
    ${
      asked.metadata
        ? html`<details part="metadata">
            <summary>${words.metadata}</summary>
            ${tree(asked.metadata)}
          </details>`
        : nothing
    }`;
}

export const boxed = (part: string, name: string, content: unknown): TemplateResult =>
  html`<div class="box" part=${part}>
    <small>${name}</small>
    <div>${content}</div>
  </div>`;

function errorOf({ asked }: Card, words: Words): TemplateResult | typeof nothing {
  const { error_code: code, error_message: text } = asked;
  if (code === null && text === null) return nothing;
  const name = code === null ? words.error : `${words.error} ${code}`;
  return html`<p class="bad" part="error">${visible(text === null ? name : fill(words.pair, { name, text }))}</p>`;
}
