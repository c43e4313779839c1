/**
 * `<notification-inbox>`: what waits for the user, running tasks, what is done, and the connection's state.
 *
 *  1. What others wrote is shown in full and never run: it becomes text nodes, with hidden characters marked (`text.ts`).
 *  2. New cards come below, and decided ones leave only while the pointer rests elsewhere: nothing moves under a click.
 *  3. A card answers once. What is irreversible asks once more, and its confirming button never has the focus first.
 *  4. Focus stays with the reader: when a focused card leaves, the next one has it.
 *  5. What few need at once is loaded when it is shown (`more.ts`).
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { NotificationClient } from '../client/index.js';
import { Announcer } from './announcer.js';
import { Cards, isOver, type Card } from './cards.js';
import type { CardContext } from './card-context.js';
import { CardList } from './card-list.js';
import { cardView } from './card-view.js';
import { completed } from './completed.js';
import { ConnectedElement } from './connected-element.js';
import { pressKey } from './keys.js';
import { OnDemand } from './on-demand.js';
import { cardsView, selectionView, tabsView, type Pane } from './panes.js';
import { stateView } from './state-view.js';
import { STYLES } from './styles.js';
import { Tasks } from './tasks.js';
import { languageOf } from './times.js';
import { ENGLISH, type Words } from './words.js';

const DISMISS_MS = 3_600_000;
/** Decided cards stay while the pointer has moved over the element within this time. */
const POINTER_RESTS_MS = 2000;

export class Inbox extends ConnectedElement {
  private ownWords: Partial<Words> | undefined;
  private cards: Cards | undefined;
  private tasks: Tasks | undefined;
  private stopState: (() => void) | undefined;
  private clock: ReturnType<typeof setInterval> | undefined;
  private shown: Pane = 'inbox';
  private readonly list = new CardList(() => this.draw());
  private readonly more = new OnDemand(() => this.draw());
  private isSelecting = false;
  private readonly announcer = new Announcer();
  /** The confirmation to be shown, once it is there. */
  private wanted: string | undefined;
  private helps = false;
  private pointerAt = 0;
  /** What to focus after the next drawing. */
  private focusNext: string | undefined;

  constructor() {
    super(STYLES);
    this.addEventListener('keydown', (event) => this.onKey(event));
    this.addEventListener('pointermove', () => (this.pointerAt = Date.now()));
  }

  get words(): Partial<Words> | undefined {
    return this.ownWords;
  }
  set words(words: Partial<Words> | undefined) {
    this.ownWords = words;
    this.draw();
  }

  override connectedCallback(): void {
    this.clock = setInterval(() => this.onClock(), 1000);
    document.addEventListener('mousedown', this.onPress);
    super.connectedCallback();
  }

  override disconnectedCallback(): void {
    clearInterval(this.clock);
    document.removeEventListener('mousedown', this.onPress);
    this.list.stop();
    super.disconnectedCallback();
  }

  /**
   * The second press of a double click does not take the focus from going back. A card that asks once more is smaller than it
   * was, so the press may fall beside it.
   */
  private readonly onPress = (event: MouseEvent): void => {
    if (event.detail > 1 && this.cards?.list.some(({ phase }) => phase === 'sure')) event.preventDefault();
  };

  /** Moves the focus to the next card, or with -1 to the one before. */
  move(by: number): void {
    const cards = this.listed;
    const focused = this.root.activeElement?.closest('article')?.id;
    const at = focused ? cards.findIndex(({ key }) => key === focused) + by : by > 0 ? 0 : cards.length - 1;
    this.focusCard(cards[Math.max(0, Math.min(cards.length - 1, at))]);
  }

  private focusCard(card: Card | undefined, part = ''): void {
    if (!card) return;
    this.list.pinned = card;
    this.focusNext = `#${card.key}${part}`;
    this.draw();
  }

  /** The cards that the shown view lists. */
  private get listed(): readonly Card[] {
    const { list = [], done = [] } = this.cards ?? {};
    if (this.shown === 'inbox') return list;
    const known = new Set(done.map(({ asked }) => asked.callback_id));
    const past = this.more.past?.filter(({ asked }) => !known.has(asked.callback_id)) ?? [];
    return this.shown === 'done' ? [...done, ...past] : [];
  }

  protected onDrawn(): void {
    const list = this.root.querySelector<HTMLElement>('section > .cards');
    const context = this.context(this.allWords);
    if (list)
      this.list.draw(
        list,
        this.listed,
        (card) => cardView(card, context),
        (card) => this.cards?.seen(card),
      );
    const dialog = this.root.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
    if (this.focusNext === undefined) return;
    this.root.querySelector<HTMLElement>(this.focusNext)?.focus();
    this.focusNext = undefined;
  }

  protected view(): TemplateResult {
    const words = this.allWords;
    const { cards, tasks, shown } = this;
    cards?.refresh();
    const wanted = cards?.list.find(({ asked }) => asked.callback_id === this.wanted);
    if (wanted) {
      this.wanted = undefined;
      this.focusCard(wanted);
    }
    const tabs = [
      ['inbox', cards?.openCount ?? 0],
      ['tasks', tasks?.list.length ?? 0],
      ['done', ''],
    ] as const;
    return html`${stateView(cards?.client.state, words)} ${this.announcer.view()}
      ${this.helps ? html`<p class="box" part="help">${words.keys}</p>` : nothing}
      <section aria-labelledby="shown">
        ${tabsView(tabs, shown, words, (pane) => this.show(pane))}
        ${shown === 'tasks' ? this.more.tasksView(tasks, cards, words) : this.cardsView(words)}
      </section>
      ${this.more.batch?.view(this.context(words)) ?? nothing}`;
  }

  private cardsView(words: Words): TemplateResult {
    const { shown, isSelecting, cards, listed, more } = this;
    const selected = cards?.list.filter((card) => card.isSelected && !isOver(card)) ?? [];
    const toggle = (): void => {
      this.isSelecting = !isSelecting;
      this.draw();
    };
    const open = (): void => {
      if (cards) void more.openBatch(cards, selected, () => this.stopSelecting());
    };
    return html`${
      shown === 'inbox' && (isSelecting || listed.length > 1)
        ? selectionView(isSelecting ? selected.length : undefined, words, toggle, open)
        : nothing
    }${cardsView(listed.length === 0, shown, words, more.problem, shown === 'done' && !more.past)}`;
  }

  private show(pane: Pane): void {
    this.shown = pane;
    this.draw();
    if (pane === 'done' && this.cards) void this.more.readPast(this.cards);
    else if (pane !== 'inbox') void this.more.load();
  }

  private stopSelecting(): void {
    for (const card of this.cards?.list ?? []) card.isSelected = false;
    this.isSelecting = false;
    this.draw();
  }

  private get allWords(): Words {
    return { ...ENGLISH, ...this.words };
  }

  protected onClient(client: NotificationClient): void {
    const onChange = (): void => this.draw();
    this.stopState = client.onState(onChange);
    this.tasks = new Tasks(client, onChange);
    this.cards = new Cards(client, {
      onChange,
      check: (asked, answer) => this.more.views?.checkAnswer(asked, answer) ?? {},
      onNew: (fresh) => {
        if (fresh.some(({ asked }) => asked.input_schema)) void this.more.load();
        this.announcer.onNew(fresh, this.allWords);
      },
      onExpiring: (card) => this.announcer.onExpiring(card, this.allWords),
      onDecided: (card) => this.onDecided(card),
      onInvalid: (card) => {
        if (this.mayFocus(card)) this.focusNext = `#${card.key} [aria-invalid=true], #${card.key} fieldset:has(> .problem)`;
      },
    });
    this.draw();
  }

  protected onClientGone(): void {
    this.stopState?.();
    this.cards?.stop();
    this.tasks?.stop();
    this.cards = this.tasks = this.stopState = undefined;
    this.more.reset();
    this.draw();
  }

  private onClock(): void {
    if (!this.cards || !this.tasks) return;
    this.tasks.sweep();
    const now = Date.now();
    const isQuiet = now - this.pointerAt > POINTER_RESTS_MS;
    for (const card of this.cards.list) if (isQuiet && card.leavesAt < now) this.takeAway(card);
    this.draw();
  }

  private takeAway(card: Card): void {
    if (this.root.querySelector(`#${card.key}`)?.contains(this.root.activeElement)) this.focusNeighbour(card);
    this.cards?.remove(card);
  }

  /** The card leaves, and had the focus. */
  private focusNeighbour(card: Card): void {
    const { listed } = this;
    const at = listed.indexOf(card);
    const next = listed[at + 1] ?? listed[at - 1];
    if (next) this.focusCard(next);
    else this.focusNext = '#shown';
  }

  /** The focus is in the card or nowhere: the reader has not gone elsewhere. */
  private mayFocus({ key }: Card): boolean {
    const { activeElement } = this.root;
    const outside = (this.getRootNode() as Document).activeElement;
    return activeElement ? activeElement.closest(`#${key}`) !== null : !outside || outside === document.body || outside === this;
  }

  /** Shows a confirmation and gives it the focus, as soon as it is there. */
  reveal(callbackId: string): void {
    this.wanted = callbackId;
    this.draw();
  }

  private onDecided(card: Card): void {
    this.announcer.onDecided(card, this.allWords);
    const detail = { callback_id: card.asked.callback_id, ...card.decision };
    this.dispatchEvent(new CustomEvent('decided', { detail, bubbles: true, composed: true }));
  }

  private context(words: Words): CardContext {
    const client = this.cards?.client;
    const leftMs = ({ asked }: Card): number => client?.remainingMs(asked) ?? Infinity;
    const context: CardContext = {
      words,
      language: languageOf(this),
      isConnected: client?.state.status === 'open',
      isSelecting: this.isSelecting && this.shown === 'inbox',
      leftMs,
      now: this.cards?.now ?? Date.now(),
      actions: this.actions,
      editView: (card) => this.more.editView(card, context),
      formView: (card, key) => this.more.formView(card, key, words),
    };
    return context;
  }

  private readonly actions: CardContext['actions'] = {
    answer: (card, given, label) =>
      void this.cards
        ?.answer(card, completed(this.root, card, given, this.allWords, this.more.views?.valuesOf), label)
        .then(() => this.keepFocus(card)),
    sure: (card) => {
      const { draft } = card;
      if (draft) void this.cards?.answer(card, draft, card.label, true);
      else void this.cards?.cancel(card);
      this.focusCard(card);
    },
    back: (card) => {
      Object.assign(card, { phase: 'open', draft: undefined });
      this.focusCard(card);
    },
    dismiss: (card) => {
      this.focusNeighbour(card);
      void this.cards?.dismiss(card, DISMISS_MS);
    },
    cancel: (card) => {
      Object.assign(card, { phase: 'sure', draft: undefined });
      this.keepFocus(card);
    },
    close: (card) => this.takeAway(card),
    edit: (card, text) => {
      card.edited = text;
      this.draw();
    },
    select: (card) => {
      card.isSelected = !card.isSelected;
      this.draw();
    },
  };

  /** The buttons that had the focus are gone. */
  private keepFocus(card: Card): void {
    if (!this.mayFocus(card)) return;
    if (card.phase === 'sure') this.focusCard(card, ' [data-back]');
    else if (card.phase !== 'open') this.focusCard(card);
  }

  private onKey(event: KeyboardEvent): void {
    const isKnown = pressKey(event, {
      list: this.listed,
      words: this.allWords,
      actions: this.actions,
      move: (by) => this.move(by),
      help: () => {
        this.helps = !this.helps;
        this.draw();
      },
      focus: (card, part) => this.focusCard(card, part),
    });
    if (isKnown) event.preventDefault();
  }
}
