/**
 * `<notification-inbox>`: what waits for the user, running tasks, and the connection's state.
 *
 *  1. What others wrote is shown in full and never run: it becomes text nodes, with hidden characters marked (`text.ts`).
 *  2. New cards come below, and decided ones leave only while the pointer rests elsewhere: nothing moves under a click.
 *  3. A card answers once. What is irreversible asks once more, and its confirming button never has the focus first.
 *  4. Focus stays with the reader: when a focused card leaves, the next one has it.
 */
import { html, nothing, type TemplateResult } from 'lit-html';
import type { NotificationClient } from '../client/index.js';
import { Cards, type Card } from './cards.js';
import { cardView, outcomeOf, titleOf, waysOf, type CardContext } from './card-view.js';
import { completed } from './completed.js';
import { ConnectedElement } from './connected-element.js';
import { stateView, tasksView } from './side-views.js';
import { STYLES } from './styles.js';
import { Tasks } from './tasks.js';
import { plain } from './text.js';
import { ENGLISH, fill, type Words } from './words.js';

/** Cards drawn at first, and more when the end is reached. */
const BATCH = 30;
const DISMISS_MS = 3_600_000;
/** Decided cards stay while the pointer has moved over the element within this time. */
const POINTER_RESTS_MS = 2000;

export class Inbox extends ConnectedElement {
  private ownWords: Partial<Words> | undefined;
  private cards: Cards | undefined;
  private tasks: Tasks | undefined;
  private stopState: (() => void) | undefined;
  private clock: ReturnType<typeof setInterval> | undefined;
  private shown = BATCH;
  private announcement = '';
  private helps = false;
  private pointerAt = 0;
  /** What to focus after the next drawing. */
  private focusNext: string | undefined;
  private readonly watch = new IntersectionObserver((entries) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) this.showMore();
  });

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
    const cards = [...this.root.querySelectorAll<HTMLElement>('article')];
    const focused = this.root.activeElement?.closest('article');
    const at = focused ? cards.indexOf(focused) + by : by > 0 ? 0 : cards.length - 1;
    cards[Math.max(0, Math.min(cards.length - 1, at))]?.focus();
  }

  protected onDrawn(): void {
    const more = this.root.querySelector('#more');
    this.watch.disconnect();
    if (more) this.watch.observe(more);
    if (this.focusNext === undefined) return;
    this.root.querySelector<HTMLElement>(this.focusNext)?.focus();
    this.focusNext = undefined;
  }

  protected view(): TemplateResult {
    const words = this.allWords;
    const { cards, tasks } = this;
    const list = cards?.list ?? [];
    return html`${stateView(cards?.client.state, words)}
      <div class="hidden" role="status">${this.announcement}</div>
      ${this.helps ? html`<p class="box" part="help">${words.keys}</p>` : nothing}
      <section aria-labelledby="waiting">
        <h2 id="waiting" part="heading">${words.inbox} <small part="count">${cards?.openCount ?? 0}</small></h2>
        ${list.length === 0 ? html`<p class="quiet" part="empty">${words.empty}</p>` : nothing}
        <ul class="cards">
          ${list.slice(0, this.shown).map((card) => cardView(card, this.context(words)))}
        </ul>
        ${
          list.length > this.shown
            ? html`<button id="more" part="button" @click=${() => this.showMore()}>
                ${fill(words.more, { n: list.length - this.shown })}
              </button>`
            : nothing
        }
      </section>
      ${tasksView(tasks?.list ?? [], words)}`;
  }

  private get allWords(): Words {
    return { ...ENGLISH, ...this.words };
  }

  private get language(): string {
    return this.closest<HTMLElement>('[lang]')?.lang || 'en';
  }

  protected onClient(client: NotificationClient): void {
    const onChange = (): void => this.draw();
    this.stopState = client.onState(onChange);
    this.tasks = new Tasks(client, onChange);
    this.cards = new Cards(client, {
      onChange,
      onNew: (fresh) => this.onNew(fresh),
      onDecided: (card) => this.onDecided(card),
      onInvalid: ({ key }) => (this.focusNext = `#${key} [aria-invalid=true], #${key} fieldset:has(> .problem)`),
    });
    this.draw();
  }

  protected onClientGone(): void {
    this.stopState?.();
    this.cards?.stop();
    this.tasks?.stop();
    this.cards = this.tasks = this.stopState = undefined;
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
    const element = this.root.querySelector(`#${card.key}`);
    if (element?.contains(this.root.activeElement)) {
      const list = this.cards?.list ?? [];
      const at = list.indexOf(card);
      const next = list[at + 1] ?? list[at - 1];
      if (next) this.focusNext = `#${next.key}`;
    }
    this.cards?.remove(card);
  }

  private onNew(fresh: Card[]): void {
    const words = this.allWords;
    const [first] = fresh;
    if (!first) return;
    const title = plain(titleOf(first, words));
    this.announcement = fresh.length === 1 ? fill(words.newOne, { title }) : fill(words.newMany, { n: fresh.length });
  }

  private onDecided(card: Card): void {
    const words = this.allWords;
    const outcome = plain(outcomeOf(card, words));
    this.announcement = fill(words.decided, { title: plain(titleOf(card, words)), outcome });
    const detail = { callback_id: card.asked.callback_id, ...card.decision };
    this.dispatchEvent(new CustomEvent('decided', { detail, bubbles: true, composed: true }));
  }

  private showMore(): void {
    this.shown += BATCH;
    this.draw();
  }

  private context(words: Words): CardContext {
    const client = this.cards?.client;
    const leftMs = ({ asked }: Card): number => client?.remainingMs(asked) ?? Infinity;
    const serverNow = Date.now() - (client ? client.remainingMs({ expires_at: Date.now() / 1000 }) : 0);
    return {
      words,
      language: this.language,
      isConnected: client?.state.status === 'open',
      leftMs,
      now: serverNow,
      actions: this.actions,
    };
  }

  private readonly actions: CardContext['actions'] = {
    answer: (card, given, label) =>
      void this.cards?.answer(card, completed(this.root, card, given, this.allWords), label).then(() => this.keepFocus(card)),
    sure: (card) => {
      const { draft } = card;
      if (draft) void this.cards?.answer(card, draft, card.label, true);
      else void this.cards?.cancel(card);
      this.focusNext = `#${card.key}`;
    },
    back: (card) => {
      Object.assign(card, { phase: 'open', draft: undefined });
      this.focusNext = `#${card.key}`;
      this.draw();
    },
    dismiss: (card) => void this.cards?.dismiss(card, Date.now() + DISMISS_MS),
    cancel: (card) => {
      Object.assign(card, { phase: 'sure', draft: undefined });
      this.keepFocus(card);
      this.draw();
    },
    close: (card) => this.takeAway(card),
    edit: (card, text) => {
      card.edited = text;
      this.draw();
    },
  };

  /** The buttons that had the focus are gone. */
  private keepFocus({ key, phase }: Card): void {
    if (phase === 'sure') this.focusNext = `#${key} [data-back]`;
    else if (phase !== 'open') this.focusNext = `#${key}`;
    this.draw();
  }

  private onKey(event: KeyboardEvent): void {
    const target = event.composedPath()[0] as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || target.matches('input, textarea, select')) return;
    const card = this.cards?.list.find(({ key }) => target.closest(`#${key}`));
    if (event.key === 'j' || event.key === 'k') this.move(event.key === 'j' ? 1 : -1);
    else if (event.key === '?') {
      this.helps = !this.helps;
      this.draw();
    } else if (card && (event.key === 'a' || event.key === 'r')) this.answerByKey(card, event.key === 'a');
    else return;
    event.preventDefault();
  }

  /** Answers where only one button means that; among several, the first has the focus. */
  private answerByKey(card: Card, proceed: boolean): void {
    const ways = waysOf(card, this.allWords).filter(({ proceeds }) => proceeds === proceed);
    const [way] = ways;
    if (way && ways.length === 1) this.actions.answer(card, way.given, way.label);
    else this.root.querySelector<HTMLElement>(`#${card.key} [part~=${proceed ? 'proceed' : 'stop'}]`)?.focus();
  }
}
