/** Where an editable proposal is edited, with what the edit changes. */
import type { TemplateResult } from 'lit-html';
import type { CardContext } from './card-context.js';
import type { Card } from './cards.js';
import { diffLines } from './diff.js';
import type { Kit } from './kit.js';

/** @param text the edited proposal */
export function editView(kit: Kit, card: Card, text: string, { words, actions }: CardContext): TemplateResult {
  const { html, nothing, visible, proposalText } = kit;
  const { asked, key, fields } = card;
  const before = proposalText(asked.proposal);
  const problem = fields['edited'];
  return html`<label for="${key}-edit">${words.edited}</label>
    <textarea
      id="${key}-edit"
      class="code"
      rows=${Math.min(20, before.split('\n').length + 2)}
      spellcheck="false"
      .value=${text}
      aria-invalid=${problem ? 'true' : 'false'}
      aria-describedby=${problem ? `${key}-edit-e` : nothing}
      @input=${(event: Event) => actions.edit(card, withEndsOf(before, (event.target as HTMLTextAreaElement).value))}
    ></textarea>
    ${problem ? html`<span id="${key}-edit-e" class="problem">${words.problem(problem)}</span>` : nothing}
    ${
      text === before
        ? nothing
        : html`<div class="box code" part="diff">
            <small>${words.changes}</small>${diffLines(before, text).map(({ kind, text: line }) =>
              kind === ' '
                ? html`<div>&nbsp; ${visible(line)}</div>`
                : kind === '+'
                  ? html`<ins>+ ${visible(line)}</ins>`
                  : html`<del>− ${visible(line)}</del>`,
            )}
          </div>`
    }
    <button part="button" @click=${() => actions.edit(card, undefined)}>${words.reset}</button>`;
}

/** A text field has no carriage returns. They are put back where the proposal has them. */
const withEndsOf = (before: string, text: string): string => (before.includes('\r\n') ? text.replaceAll('\n', '\r\n') : text);
