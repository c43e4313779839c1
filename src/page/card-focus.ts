/** Which card has the focus, and which gets it next. Focus stays with the reader: nothing takes it from elsewhere. */
import type { CardList } from './card-list.js';
import type { Card } from './cards.js';

export class CardFocus {
  /** What gets the focus after the next drawing. */
  private wanted: string | undefined;

  /**
   * @param host the element, with the shadow root
   * @param listed the cards that are listed now
   */
  constructor(
    private readonly host: HTMLElement,
    private readonly root: ShadowRoot,
    private readonly list: CardList,
    private readonly listed: () => readonly Card[],
    private readonly draw: () => void,
  ) {}

  /** To the next card, or with -1 to the one before. */
  move(by: number): void {
    const cards = this.listed();
    const focused = this.root.activeElement?.closest('article')?.id;
    const at = focused ? cards.findIndex(({ key }) => key === focused) + by : by > 0 ? 0 : cards.length - 1;
    this.to(cards[Math.max(0, Math.min(cards.length - 1, at))]);
  }

  /** @param part of the card, as a selector */
  to(card: Card | undefined, part = ''): void {
    if (!card) return;
    this.list.pinned = card;
    this.wanted = `#${card.key}${part}`;
    this.draw();
  }

  /** The card leaves, and had the focus. */
  toNeighbour(card: Card): void {
    const cards = this.listed();
    const at = cards.indexOf(card);
    const next = cards[at + 1] ?? cards[at - 1];
    if (next) this.to(next);
    else this.wanted = '#shown';
  }

  has({ key }: Card): boolean {
    return this.root.querySelector(`#${key}`)?.contains(this.root.activeElement) === true;
  }

  /** The answer was refused: to the first field that is wrong. */
  toFault(card: Card): void {
    if (this.may(card)) this.wanted = `#${card.key} [aria-invalid=true], #${card.key} fieldset:has(> .problem)`;
  }

  /** The buttons that had the focus are gone. */
  keep(card: Card): void {
    if (!this.may(card)) return;
    if (card.phase === 'sure') this.to(card, ' [data-back]');
    else if (card.phase !== 'open') this.to(card);
  }

  onDrawn(): void {
    if (this.wanted === undefined) return;
    this.root.querySelector<HTMLElement>(this.wanted)?.focus();
    this.wanted = undefined;
  }

  /** The focus is in the card or nowhere: the reader has not gone elsewhere. */
  private may({ key }: Card): boolean {
    const { activeElement } = this.root;
    const outside = (this.host.getRootNode() as Document).activeElement;
    return activeElement
      ? activeElement.closest(`#${key}`) !== null
      : !outside || outside === document.body || outside === this.host;
  }
}
