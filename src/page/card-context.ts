/** What the views of cards are drawn with. */
import type { GivenAnswer } from '../client/index.js';
import type { Card } from './cards.js';
import type { Words } from './words.js';

export interface CardActions {
  answer: (card: Card, given: GivenAnswer, label: string) => void;
  sure: (card: Card) => void;
  back: (card: Card) => void;
  dismiss: (card: Card) => void;
  cancel: (card: Card) => void;
  close: (card: Card) => void;
  edit: (card: Card, text: string | undefined) => void;
  select: (card: Card) => void;
}

export interface CardContext {
  words: Words;
  actions: CardActions;
  language: string;
  isConnected: boolean;
  /** Several cards are being selected. */
  isSelecting: boolean;
  /** The card's form. @param key makes ids unique in the document */
  formView: (card: Card, key: string) => unknown;
  /** Where the card's proposal is edited. */
  editView: (card: Card) => unknown;
  /** Milliseconds until the deadline, by the server's clock. */
  leftMs: (card: Card) => number;
  /** The server's time, in Unix milliseconds. */
  now: number;
}
