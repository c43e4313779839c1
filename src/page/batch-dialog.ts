/**
 * Answers to several cards in one dialog. It lists each in full; each gets an answer of its own, and shows its own result.
 * Something irreversible is not confirmed here: it asks once more, by itself.
 */
import type { TemplateResult } from 'lit-html';
import type { GivenAnswer } from '../client/index.js';
import type { CardContext } from './card-context.js';
import type { Card, Cards } from './cards.js';
import { valuesOf } from './form.js';
import type { Kit } from './kit.js';
import type { Words } from './words.js';

type Way = ReturnType<Kit['waysOf']>[number];

export class BatchDialog {
  private readonly chosen = new Map<Card, Way>();

  constructor(
    private readonly kit: Kit,
    private readonly cards: Cards,
    readonly selected: readonly Card[],
    private readonly onChange: () => void,
    private readonly onClose: () => void,
  ) {}

  /** To be opened with `showModal`. */
  view(context: CardContext): TemplateResult {
    const { html, fill } = this.kit;
    const { words } = context;
    const open = this.selected.filter(({ phase }) => phase === 'open').length;
    return html`<dialog aria-labelledby="batch" part="dialog" @close=${this.onClose}>
      <h2 id="batch" tabindex="-1" autofocus>${fill(words.batch, { n: this.selected.length })}</h2>
      <div class="actions">
        <button part="button" ?disabled=${open === 0} @click=${() => this.chooseAll(true, words)}>${words.allYes}</button>
        <button part="button" ?disabled=${open === 0} @click=${() => this.chooseAll(false, words)}>${words.allNo}</button>
      </div>
      <ul class="cards">
        ${this.selected.map((card) => this.itemView(card, context))}
      </ul>
      <div class="actions">
        <button
          part="button"
          class="main"
          ?disabled=${this.ready.length === 0}
          @click=${(event: Event) => this.send(event, words)}
        >
          ${fill(words.sendAll, { n: this.ready.length })}
        </button>
        <button part="button" @click=${(event: Event) => (event.target as Element).closest('dialog')?.close()}>
          ${words.close}
        </button>
      </div>
    </dialog>`;
  }

  /** Those that an answer is chosen for, and that are still open. */
  private get ready(): Card[] {
    return this.selected.filter((card) => card.phase === 'open' && this.chosen.has(card));
  }

  private itemView(card: Card, context: CardContext): TemplateResult {
    const { html, nothing, askedView, fieldsView, problemsOf, decisionView, isOver, waysOf } = this.kit;
    const { words } = context;
    const key = keyOf(card);
    const isSending = card.phase === 'sending';
    const answer = (): TemplateResult =>
      html`<fieldset ?disabled=${isSending}>
          <legend>${words.answer}</legend>
          ${waysOf(card, words).map((way, index) => this.wayView(card, way, `${key}-w${index}`))}
          <label class="option"
            ><input
              type="radio"
              name=${key}
              .checked=${!this.chosen.has(card)}
              @change=${() => this.choose(card, undefined)}
            />${words.noAnswer}</label
          >
          ${card.asked.risk === 'irreversible' ? html`<small>${words.alone}</small>` : nothing}
        </fieldset>
        ${fieldsView(card, context, key)} ${problemsOf(card, words)}
        ${isSending ? html`<p class="quiet">${context.isConnected ? words.sending : words.later}</p>` : nothing}`;
    const state = isOver(card)
      ? decisionView({ ...card, phase: card.phase === 'refused' ? 'refused' : 'past' }, context)
      : answer();
    return html`<li>
      <article class="card" part="card ${card.phase}" aria-labelledby="${key}-t">
        ${askedView(card, context, key)}${state}
      </article>
    </li>`;
  }

  private wayView(card: Card, way: Way, id: string): TemplateResult {
    const { html, visible } = this.kit;
    return html`<label class="option"
      ><input
        type="radio"
        id=${id}
        name=${keyOf(card)}
        ?disabled=${!isAllowed(card, way)}
        .checked=${this.chosen.get(card)?.label === way.label}
        @change=${() => this.choose(card, way)}
      />${visible(way.label)}</label
    >`;
  }

  private choose(card: Card, way: Way | undefined): void {
    if (way) this.chosen.set(card, way);
    else this.chosen.delete(card);
    this.onChange();
  }

  /** Chooses where only one way means that. */
  private chooseAll(proceed: boolean, words: Words): void {
    for (const card of this.selected) {
      const ways = this.kit.waysOf(card, words).filter((way) => way.proceeds === proceed && isAllowed(card, way));
      const [way] = ways;
      if (way && ways.length === 1) this.chosen.set(card, way);
    }
    this.onChange();
  }

  private send(event: Event, words: Words): void {
    const root = (event.target as Element).getRootNode() as ShadowRoot;
    for (const card of this.ready) {
      const way = this.chosen.get(card);
      if (!way) continue;
      const given: GivenAnswer = this.kit.completed(root, card, way.given, words, valuesOf, keyOf(card));
      void this.cards.answer(card, given, way.label);
    }
  }
}

const keyOf = ({ key }: Card): string => `b-${key}`;

const isAllowed = ({ asked }: Card, { proceeds }: Way): boolean => !(proceeds && asked.risk === 'irreversible');
