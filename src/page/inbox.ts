/**
 * `<notification-inbox>`: what waits for the user, running tasks, what is done, and the connection's state.
 *
 *  1. What others wrote is shown in full and never run: it becomes text nodes, with hidden characters marked (`text.ts`).
 *  2. New cards come below, and decided ones leave only while the reader's hands rest: nothing moves under a click or a finger.
 *  3. A card answers once. What is irreversible asks once more, and its confirming button never has the focus first.
 *  4. Focus stays with the reader: when a focused card leaves, the next one has it.
 *  5. What few need at once is loaded when it is shown (`more.ts`).
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { NotificationClient } from '../client/index.js';
import { Announcer } from './announcer.js';
import { CardFocus } from './card-focus.js';
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
import type { Words } from './words.js';

const DISMISS_MS = 3_600_000;
/** Decided cards stay while the reader has pointed, touched or typed in the element within this time. */
const RESTS_MS = 2000;
const BUSY_EVENTS = ['pointermove', 'pointerdown', 'touchmove', 'keydown'];

export class Inbox extends ConnectedElement {
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
  private busyAt = 0;
  private readonly focused = new CardFocus(
    this,
    this.root,
    this.list,
    () => this.listed,
    () => this.draw(),
  );

  constructor() {
    super(STYLES);
    this.addEventListener('keydown', (event) => this.press(event));
    for (const type of BUSY_EVENTS) this.addEventListener(type, () => (this.busyAt = Date.now()));
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
    this.focused.move(by);
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
    this.focused.onDrawn();
  }

  protected view(): TemplateResult {
    const words = this.allWords;
    const { cards, tasks, shown } = this;
    cards?.refresh();
    const wanted = cards?.list.find(({ asked }) => asked.callback_id === this.wanted);
    if (wanted) {
      this.wanted = undefined;
      this.focused.to(wanted);
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
      shown === 'inbox' && (isSelecting || listed.length > 0)
        ? selectionView(isSelecting ? selected.length : undefined, isSelecting || listed.length > 1, words, toggle, open)
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

  protected onClient(client: NotificationClient): void {
    const onChange = (): void => this.draw();
    this.stopState = client.onState(onChange);
    // Thousands of messages a second draw nothing while their tab is not shown.
    this.tasks = new Tasks(client, (isLonger) => {
      if (isLonger || this.shown === 'tasks') this.draw();
    });
    this.cards = new Cards(client, {
      onChange,
      check: (asked, answer) => this.more.views?.checkAnswer(asked, answer) ?? {},
      onNew: (fresh) => {
        if (fresh.some(({ asked }) => asked.input_schema)) void this.more.load();
        this.announcer.onNew(fresh, this.allWords);
      },
      onExpiring: (card) => this.announcer.onExpiring(card, this.allWords),
      onDecided: (card) => this.onDecided(card),
      onInvalid: (card) => this.focused.toFault(card),
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
    const isQuiet = now - this.busyAt > RESTS_MS;
    for (const card of this.cards.list) if (isQuiet && card.leavesAt < now) this.takeAway(card);
    this.draw();
  }

  private takeAway(card: Card): void {
    if (this.focused.has(card)) this.focused.toNeighbour(card);
    this.cards?.remove(card);
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
        .then(() => this.focused.keep(card)),
    sure: (card) => {
      const { draft } = card;
      if (draft) void this.cards?.answer(card, draft, card.label, true);
      else void this.cards?.cancel(card);
      this.focused.to(card);
    },
    back: (card) => {
      Object.assign(card, { phase: 'open', draft: undefined });
      this.focused.to(card);
    },
    dismiss: (card) => {
      this.focused.toNeighbour(card);
      void this.cards?.dismiss(card, DISMISS_MS);
    },
    cancel: (card) => {
      Object.assign(card, { phase: 'sure', draft: undefined });
      this.focused.keep(card);
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

  /** Does what a key means, as if it had been pressed in the element. */
  press(event: KeyboardEvent): void {
    const isKnown = pressKey(event, {
      list: this.listed,
      words: this.allWords,
      actions: this.actions,
      move: (by) => this.move(by),
      help: () => {
        this.helps = !this.helps;
        this.draw();
      },
      focus: (card, part) => this.focused.to(card, part),
    });
    if (isKnown) event.preventDefault();
  }
}
