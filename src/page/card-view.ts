/** One card, drawn: what is asked in full, and the ways to answer it. */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { GivenAnswer } from '../client/index.js';
import type { Card } from './cards.js';
import { diffLines } from './diff.js';
import { formOf } from './form.js';
import { plain, tree, visible } from './text.js';
import { ageOf, timeLeft, timeOf } from './times.js';
import { fill, type Words } from './words.js';

export interface CardActions {
  answer: (card: Card, given: GivenAnswer, label: string) => void;
  sure: (card: Card) => void;
  back: (card: Card) => void;
  dismiss: (card: Card) => void;
  cancel: (card: Card) => void;
  close: (card: Card) => void;
  edit: (card: Card, text: string | undefined) => void;
}

export interface CardContext {
  words: Words;
  actions: CardActions;
  language: string;
  isConnected: boolean;
  /** Milliseconds until the deadline, by the server's clock. */
  leftMs: (card: Card) => number;
  /** The server's time, in Unix milliseconds. */
  now: number;
}

export const titleOf = ({ asked }: Card, words: Words): string =>
  asked.title ?? asked.step_name ?? asked.message ?? words.confirmation;

/** A proposal as it is edited: text as it is, anything else as JSON. */
export const proposalText = (proposal: unknown): string =>
  typeof proposal === 'string' ? proposal : JSON.stringify(proposal, null, 2);

/** The second click of a double click answers nothing. */
const once =
  (act: () => void) =>
  (event: MouseEvent): void => {
    if (event.detail < 2) act();
  };

export function cardView(card: Card, context: CardContext): TemplateResult {
  const { asked, key, phase } = card;
  const { words, language, now } = context;
  const title = titleOf(card, words);
  const isOver = phase === 'decided' || phase === 'refused';
  return html`<li>
    <article
      class="card ${asked.expiring ? 'expiring' : ''}"
      part="card ${phase}"
      id=${key}
      tabindex="-1"
      aria-labelledby="${key}-t"
      aria-busy=${phase === 'sending' ? 'true' : 'false'}
    >
      <h3 id="${key}-t" part="title">${visible(title)}</h3>
      <small part="meta"
        >${fill(words.step, { n: asked.step })}${asked.step_name && asked.step_name !== title ? html` (${visible(asked.step_name)})` : nothing}
        · ${visible(fill(words.task, { id: asked.task_id }))} · ${ageOf(now - asked.timestamp * 1000, language)}</small
      >
      ${asked.message && asked.message !== title ? html`<p part="message">${visible(asked.message)}</p>` : nothing}
      ${errorOf(card, words)}
      ${asked.result == null ? nothing : html`<div class="box" part="result"><small>${words.result}</small>${block(asked.result)}</div>`}
      ${asked.proposal === undefined ? nothing : proposalOf(card, context, isOver)}
      ${isOver ? decisionOf(card, context) : answerOf(card, context)}
    </article>
  </li>`;
}

const block = (value: unknown): TemplateResult => html`<div>${tree(value)}</div>`;

function errorOf({ asked }: Card, words: Words): TemplateResult | typeof nothing {
  const { error_code: code, error_message: message } = asked;
  if (code === null && message === null) return nothing;
  return html`<p class="bad" part="error">
    ${words.error}${code === null ? nothing : html` ${visible(String(code))}`}${message === null ? nothing : html`: ${visible(message)}`}
  </p>`;
}

function proposalOf(card: Card, { words, actions }: CardContext, isOver: boolean): TemplateResult {
  const { asked, edited, key, fields } = card;
  const before = proposalText(asked.proposal);
  const problem = fields['edited'];
  const shown = html`<div class="box" part="proposal">
    <small>${words.proposal}</small
    >${typeof asked.proposal === 'string' ? html`<div class="code">${visible(before)}</div>` : block(asked.proposal)}
  </div>`;
  if (!asked.editable || isOver) return shown;
  if (edited === undefined)
    return html`${shown}<button part="button" @click=${() => actions.edit(card, before)}>${words.edit}</button>`;
  return html`${shown}
    <label for="${key}-edit">${words.edited}</label>
    <textarea
      id="${key}-edit"
      class="code"
      rows=${Math.min(20, before.split('\n').length + 2)}
      spellcheck="false"
      .value=${edited}
      aria-invalid=${problem ? 'true' : 'false'}
      aria-describedby=${problem ? `${key}-edit-e` : nothing}
      @input=${(event: Event) => actions.edit(card, (event.target as HTMLTextAreaElement).value)}
    ></textarea>
    ${problem ? html`<span id="${key}-edit-e" class="problem">${words.problem(problem)}</span>` : nothing}
    ${
      edited === before
        ? nothing
        : html`<div class="box code" part="diff">
            <small>${words.changes}</small>${diffLines(before, edited).map(({ kind, text }) =>
              kind === ' '
                ? html`<div>&nbsp; ${visible(text)}</div>`
                : kind === '+'
                  ? html`<ins>+ ${visible(text)}</ins>`
                  : html`<del>− ${visible(text)}</del>`,
            )}
          </div>`
    }
    <button part="button" @click=${() => actions.edit(card, undefined)}>${words.reset}</button>`;
}

function answerOf(card: Card, { words, actions, isConnected, leftMs }: CardContext): TemplateResult {
  const { asked, key, phase, problem, fields } = card;
  if (phase === 'sure') return sureOf(card, words, actions);
  const isSending = phase === 'sending';
  const loose = Object.entries(fields).filter(
    ([name]) => !(name === 'edited' || name.replace(/^values\./, '') in (asked.input_schema?.properties ?? {})),
  );
  return html`<div ?inert=${isSending}>
      ${asked.input_schema ? formOf(asked.input_schema, key, fields, words) : nothing}
      <label for="${key}-feedback">${words.feedback}</label><textarea id="${key}-feedback" rows="1" part="feedback"></textarea>
    </div>
    <p class="quiet" part="deadline">
      ${deadlineOf(card, leftMs(card), words)}${asked.risk === 'irreversible' ? html` <strong class="bad">${words.irreversible}</strong>` : nothing}
    </p>
    ${problem ? html`<p class="problem" part="problem">${visible(fill(words.failed, { reason: problem }))}</p>` : nothing}
    ${Object.keys(fields).length > 0 && !problem ? html`<p class="problem">${words.invalid}</p>` : nothing}
    ${loose.map(([name, text]) => html`<p class="problem">${visible(`${name}: ${text}`)}</p>`)}
    ${isSending ? html`<p class="quiet">${isConnected ? words.sending : words.later}</p>` : nothing}
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
      <button
        part="button"
        class="plain"
        ?disabled=${isSending}
        title=${words.dismissed}
        @click=${once(() => actions.dismiss(card))}
      >
        ${words.dismiss}
      </button>
      <button part="button" class="plain" ?disabled=${isSending} @click=${once(() => actions.cancel(card))}>
        ${words.cancel}
      </button>
    </div>`;
}

/** Asks once more. Going back comes first, and has the focus. */
function sureOf(card: Card, words: Words, actions: CardActions): TemplateResult {
  const { asked, draft, label, key } = card;
  const question = draft ? fill(words.really, { label: plain(label) }) : fill(words.reallyCancel, { id: plain(asked.task_id) });
  return html`<div role="group" aria-labelledby="${key}-sure" part="sure">
    <p class="bad" id="${key}-sure">${question}</p>
    <div class="actions">
      <button part="button" data-back @click=${once(() => actions.back(card))}>${words.back}</button>
      <button part="button sure" @click=${once(() => actions.sure(card))}>${draft ? visible(label) : words.cancel}</button>
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
  return `${leftMs > 0 ? fill(words.left, { time: timeLeft(leftMs) }) : words.over}, ${then}.`;
}

/** Who decided, how, when and what. */
export function outcomeOf({ asked, decision }: Card, words: Words): string {
  if (!decision?.outcome) return words.gone;
  const { outcome, choice, proceed } = decision;
  if (outcome !== 'answered') return outcome === 'timed_out' ? words.timed_out : words[outcome];
  return asked.choices?.find(({ id }) => id === choice)?.label ?? (proceed ? words.decidedYes : words.decidedNo);
}

function decisionOf(card: Card, { words, language, actions }: CardContext): TemplateResult {
  const { phase, decision } = card;
  const who = decision?.isMine ? words.you : decision?.by;
  const parts = [
    who && fill(words.by, { who }),
    decision?.via && fill(words.via, { via: decision.via }),
    decision && fill(words.at, { time: timeOf(decision.at, language) }),
  ];
  return html`<div part="decision">
    ${phase === 'refused' ? html`<p class="bad">${words.refused}</p>` : nothing}
    <p>
      <strong class=${decision?.proceed ? 'good' : ''}>${visible(outcomeOf(card, words))}</strong>
      <small>${visible(parts.filter(Boolean).join(', '))}</small>
    </p>
    <button part="button" class="plain" @click=${() => actions.close(card)}>${words.close}</button>
  </div>`;
}
