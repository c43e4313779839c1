/** The element's keys: `j` and `k` move, `a` and `r` answer, `?` helps. They do nothing where text is typed, and in dialogs. */
import { waysOf } from './answer-view.js';
import type { CardActions } from './card-context.js';
import type { Card } from './cards.js';
import type { Words } from './words.js';

interface Keyed {
  list: readonly Card[];
  words: Words;
  actions: CardActions;
  move: (by: number) => void;
  help: () => void;
  /** @param part of the card, as a selector */
  focus: (card: Card, part: string) => void;
}

/** @returns whether the key meant something */
export function pressKey(event: KeyboardEvent, { list, words, actions, move, help, focus }: Keyed): boolean {
  const { key } = event;
  const target = event.composedPath()[0] as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || target.matches('dialog *, input, textarea, select'))
    return false;
  const card = list.find((one) => target.closest(`#${one.key}`));
  if (key === 'j' || key === 'k') move(key === 'j' ? 1 : -1);
  else if (key === '?') help();
  else if (card && (key === 'a' || key === 'r')) {
    // Answers where only one button means that; among several, the first gets the focus.
    const ways = waysOf(card, words).filter(({ proceeds }) => proceeds === (key === 'a'));
    const [way] = ways;
    if (way && ways.length === 1) actions.answer(card, way.given, way.label);
    else focus(card, ` [part~=${key === 'a' ? 'proceed' : 'stop'}]`);
  } else return false;
  return true;
}
