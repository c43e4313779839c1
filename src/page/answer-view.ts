/** The ways to answer a card: form, feedback, buttons, and the question whether the user is sure. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { GivenAnswer } from '../client/index.js';
import type { CardActions, CardContext } from './card-context.js';
import type { Card } from './cards.js';
import { plain, visible } from './text.js';
import { timeLeft } from './times.js';
import { fill, type Words } from './words.js';

/** The second click of a double click answers nothing. */
const once =
  (act: () => void) =>
  (event: MouseEvent): void => {
    if (event.detail < 2) act();
  };

/** The fields stay in the document while the card asks once more: they keep what is typed. */
export const answerView = (card: Card, context: CardContext): TemplateResult =>
  html`${fieldsView(card, context, card.key)}
  ${card.phase === 'sure' ? sureOf(card, context.words, context.actions) : waysView(card, context)}`;

function waysView(card: Card, { words, actions, isConnected, leftMs }: CardContext): TemplateResult {
  const { asked, phase } = card;
  const isSending = phase === 'sending';
  const later = `${card.key}-later`;
  return html`<p class="quiet" part="deadline">
      ${deadlineOf(card, leftMs(card), words)}${asked.expiring ? html` <strong class="bad">${words.expiring}</strong>` : nothing}
      ${asked.risk === 'irreversible' ? html` <strong class="bad">${words.irreversible}</strong>` : nothing}
    </p>
    ${problemsOf(card, words)} ${isSending ? html`<p class="quiet">${isConnected ? words.sending : words.later}</p>` : nothing}
    <div class="actions" part="actions">
      ${waysOf(card, words).map(
        ({ given, label, proceeds }) =>
          html`<button
            part="button ${proceeds ? 'proceed' : 'stop'}"
            class=${proceeds && asked.risk !== 'irreversible' ? 'main' : ''}
            ?disabled=${isSending}
            @click=${once(() => actions.answer(card, given, label))}
          >
            ${visible(label)}
          </button>`,
      )}
      ${
        asked.expiring
          ? nothing
          : html`<button
              part="button"
              class="plain"
              ?disabled=${isSending}
              aria-describedby=${later}
              @click=${once(() => actions.dismiss(card))}
            >
              ${words.dismiss}
            </button>`
      }
      <button part="button" class="plain" ?disabled=${isSending} @click=${once(() => actions.cancel(card))}>
        ${words.cancel}
      </button>
    </div>
    ${asked.expiring ? nothing : html`<small id=${later}>${words.dismissed}</small>`}`;
}

/**
 * What an answer says beside its button.
 * @param key makes ids unique in the document
 */
export function fieldsView(card: Card, { words, formView }: CardContext, key: string): TemplateResult {
  const { phase } = card;
  return html`<div ?inert=${phase === 'sending'} ?hidden=${phase === 'sure'}>
    ${formView(card, key)}
    <label for="${key}-feedback">${words.feedback}</label><textarea id="${key}-feedback" rows="1" part="feedback"></textarea>
  </div>`;
}

/** Why an answer was not sent or not taken, as far as no field says so. */
export function problemsOf({ asked, problem, fields }: Card, words: Words): TemplateResult {
  const loose = Object.entries(fields).filter(
    ([name]) => !(name === 'edited' || name.replace(/^values\./, '') in (asked.input_schema?.properties ?? {})),
  );
  return html`${problem ? html`<p class="problem" part="problem" role="alert">${visible(fill(words.failed, { reason: problem }))}</p>` : nothing}
  ${Object.keys(fields).length > 0 && !problem ? html`<p class="problem" role="alert">${words.invalid}</p>` : nothing}
  ${loose.map(([name, text]) => html`<p class="problem">${visible(fill(words.pair, { name, text: words.problem(text) }))}</p>`)}`;
}

/** Asks once more. Going back comes first, and has the focus. */
function sureOf(card: Card, words: Words, actions: CardActions): TemplateResult {
  const { asked, draft, label, key } = card;
  const question = draft ? fill(words.really, { label: plain(label) }) : fill(words.reallyCancel, { id: plain(asked.task_id) });
  return html`<div role="group" aria-labelledby="${key}-sure" part="confirm-group">
    <p class="bad" id="${key}-sure">${question}</p>
    <div class="actions">
      <button part="button" data-back @click=${once(() => actions.back(card))}>${words.back}</button>
      <button part="button confirm-button" @click=${once(() => actions.sure(card))}>
        ${draft ? visible(label) : words.cancel}
      </button>
    </div>
  </div>`;
}

/** The buttons that answer. */
export function waysOf({ asked }: Card, words: Words): { given: GivenAnswer; label: string; proceeds: boolean }[] {
  if (asked.choices?.length)
    return asked.choices.map(({ id, label, proceed }) => ({ given: { choice: id }, label, proceeds: proceed }));
  return [
    { given: { proceed: true }, label: words.yes, proceeds: true },
    { given: { proceed: false }, label: words.no, proceeds: false },
  ];
}

function deadlineOf({ asked }: Card, leftMs: number, words: Words): string {
  if (leftMs === Infinity) return words.noDeadline;
  const then = { proceed: words.onProceed, abort: words.onAbort, error: words.onError }[asked.default ?? 'abort'];
  const left = leftMs > 0 ? fill(words.left, { time: timeLeft(leftMs, words.days) }) : words.over;
  return fill(words.deadline, { left, then });
}
