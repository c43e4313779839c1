/**
 * Cards as items of a list, of which those near the window are drawn.
 *
 *  1. Each card has an item of its own: what is typed into it stays with it, whatever comes or leaves above.
 *  2. Items far from the window leave the document, and gaps of their height stand for them. An item with the focus stays.
 *     One that something was typed into is kept for its return.
 */
import { render, type TemplateResult } from 'lit-html';
import type { Card } from './cards.js';

/** The height of a card that has not been drawn yet. */
const GUESS_PX = 260;
/** Up to this number, all cards are drawn. */
const FEW = 30;

export class CardList {
  private readonly items = new WeakMap<Card, HTMLLIElement>();
  private readonly heights = new WeakMap<Card, number>();
  private readonly drawn = new Set<Card>();
  private readonly watch: IntersectionObserver;
  /** This card is drawn wherever it is: it is about to have the focus. */
  pinned: Card | undefined;

  /** @param onGap a gap comes near the window */
  constructor(onGap: () => void) {
    this.watch = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && onGap(), {
      rootMargin: '50%',
    });
  }

  /**
   * Fills `list` with the items of `cards`.
   * @param onSeen gets those that the window shows, while the reader may see it
   */
  draw(list: HTMLElement, cards: readonly Card[], view: (card: Card) => TemplateResult, onSeen: (card: Card) => void): void {
    const near: Card[] = [];
    const wanted: HTMLLIElement[] = [];
    const focused = (list.getRootNode() as ShadowRoot).activeElement;
    const from = -list.getBoundingClientRect().top - innerHeight;
    let [at, gap] = [0, 0];
    const close = (): void => {
      if (gap > 0) wanted.push(gapOf(gap));
      gap = 0;
    };
    for (const [index, card] of cards.entries()) {
      const height = this.heights.get(card) ?? GUESS_PX;
      const isNear = cards.length <= FEW || (at + height > from && at < from + 3 * innerHeight);
      if (isNear || card === this.pinned || (focused && this.items.get(card)?.contains(focused))) {
        close();
        near.push(card);
        const item = this.itemOf(card);
        item.ariaSetSize = `${cards.length}`;
        item.ariaPosInSet = `${index + 1}`;
        wanted.push(item);
      } else gap += height;
      at += height;
    }
    close();
    this.watch.disconnect();
    place(list, wanted);
    for (const card of near) render(view(card), this.itemOf(card));
    for (const card of near) {
      const { top, bottom, height } = this.itemOf(card).getBoundingClientRect();
      this.heights.set(card, height);
      if (bottom > 0 && top < innerHeight && height > 0 && document.visibilityState === 'visible') onSeen(card);
    }
    for (const item of wanted) if (item.ariaHidden) this.watch.observe(item);
    for (const card of this.drawn) if (!card.isTyped && !near.includes(card)) this.items.delete(card);
    this.drawn.clear();
    for (const card of near) this.drawn.add(card);
    this.pinned = undefined;
  }

  stop(): void {
    this.watch.disconnect();
  }

  private itemOf(card: Card): HTMLLIElement {
    let item = this.items.get(card);
    if (!item) {
      item = document.createElement('li');
      item.oninput = () => (card.isTyped = true);
      this.items.set(card, item);
    }
    return item;
  }
}

function gapOf(height: number): HTMLLIElement {
  const item = document.createElement('li');
  item.ariaHidden = 'true';
  item.style.height = `${height}px`;
  return item;
}

/** Changes the children, and moves none that stays: it keeps its focus. */
function place(list: HTMLElement, wanted: readonly HTMLElement[]): void {
  const kept = new Set<Element>(wanted);
  for (const child of [...list.children]) if (!kept.has(child)) child.remove();
  for (const [index, item] of wanted.entries())
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
}
