/** One card, drawn: what is asked in full, and the ways to answer it, or how it was decided. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { answerView } from './answer-view.js';
import { askedView, boxed } from './asked-view.js';
import type { CardContext } from './card-context.js';
import { isOver, type Card } from './cards.js';
import { tree, visible } from './text.js';
import { timeOf } from './times.js';
import { fill, type Words } from './words.js';

export function cardView(card: Card, context: CardContext): TemplateResult {
  const { asked, key, phase } = card;
  const { words, actions } = context;
  return html`<article
    class="card ${asked.expiring ? 'expiring' : ''}"
    part="card ${phase}"
    id=${key}
    tabindex="-1"
    aria-labelledby="${key}-t"
    aria-busy=${phase === 'sending' ? 'true' : 'false'}
  >
    ${
      context.isSelecting && !isOver(card)
        ? html`<label class="option"
            ><input
              type="checkbox"
              .checked=${card.isSelected ?? false}
              aria-describedby="${key}-t"
              @change=${() => actions.select(card)}
            />${words.selectOne}</label
          >`
        : nothing
    }
    ${askedView(card, context, key)}
    ${isOver(card) ? decisionView(card, context) : html`${context.editView(card)}${answerView(card, context)}`}
  </article>`;
}

/** Who decided, how, when and what. */
export function outcomeOf({ asked, decision }: Card, words: Words): string {
  if (!decision?.outcome) return words.gone;
  const { outcome, choice, proceed } = decision;
  if (outcome !== 'answered') return outcome === 'timed_out' ? words.timed_out : words[outcome];
  return asked.choices?.find(({ id }) => id === choice)?.label ?? (proceed ? words.decidedYes : words.decidedNo);
}

export function decisionView(card: Card, { words, language, actions }: CardContext): TemplateResult {
  const { phase, decision } = card;
  const who = decision?.isMine ? words.you : decision?.by;
  const parts = [
    who && fill(words.by, { who }),
    decision?.via && fill(words.via, { via: decision.via }),
    decision?.at && fill(words.at, { time: timeOf(decision.at, language) }),
  ];
  return html`<div part="decision">
    ${phase === 'refused' ? html`<p class="bad">${words.refused}</p>` : nothing}
    <p>
      <strong class=${decision?.proceed ? 'good' : ''}>${visible(outcomeOf(card, words))}</strong>
      <small>${visible(parts.filter(Boolean).join(words.comma))}</small>
    </p>
    ${decision?.feedback ? boxed('feedback', words.said, visible(decision.feedback)) : nothing}
    ${decision?.values == null ? nothing : boxed('values', words.values, tree(decision.values))}
    ${decision?.edited === undefined ? nothing : boxed('edited', words.editedAs, tree(decision.edited))}
    ${phase === 'past' ? nothing : html`<button part="button" class="plain" @click=${() => actions.close(card)}>${words.close}</button>`}
  </div>`;
}
