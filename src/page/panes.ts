/** The element's tabs, and what stands above the cards of each. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { plain } from './text.js';
import { fill, type Words } from './words.js';

export type Pane = 'inbox' | 'tasks' | 'done';

export const tabsView = (
  tabs: readonly (readonly [Pane, number | string])[],
  shown: Pane,
  words: Words,
  show: (pane: Pane) => void,
): TemplateResult =>
  html`<div class="tabs" part="tabs">
      ${tabs.map(
        ([name, count]) =>
          html`<button part="tab" aria-current=${name === shown ? 'true' : nothing} @click=${() => show(name)}>
            ${words[name]} <small part="count">${count}</small>
          </button>`,
      )}
    </div>
    <h2 id="shown" class="hidden" tabindex="-1">${words[shown]}</h2>`;

/**
 * @param selected how many cards are selected; `undefined` while none can be
 * @param isOffered otherwise it only keeps its room: the cards below do not move when another one comes
 */
export const selectionView = (
  selected: number | undefined,
  isOffered: boolean,
  words: Words,
  toggle: () => void,
  open: () => void,
): TemplateResult =>
  html`<div class="actions">
    ${
      selected === undefined
        ? nothing
        : html`<button part="button" class="main" ?disabled=${selected === 0} @click=${open}>
            ${fill(words.selected, { n: selected })}
          </button>`
    }
    <button part="button" class="plain ${isOffered ? '' : 'room'}" @click=${toggle}>
      ${selected === undefined ? words.select : words.selectNone}
    </button>
  </div>`;

/** @param problem why something could not be loaded, if it could not */
export const loadingView = (problem: string, words: Words): TemplateResult =>
  html`<p class="quiet">${problem ? fill(words.notLoaded, { reason: plain(problem) }) : words.loading}</p>`;

/** Where the cards are drawn, and what stands there when there are none. */
export const cardsView = (isEmpty: boolean, shown: Pane, words: Words, problem: string, isLoading: boolean): TemplateResult =>
  html`${problem || isLoading ? loadingView(problem, words) : nothing}
    ${isEmpty ? html`<p class="quiet" part="empty">${shown === 'inbox' ? words.empty : words.emptyDone}</p>` : nothing}
    <ul class="cards"></ul>`;
