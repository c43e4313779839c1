/** What screen readers say of cards. Each announcement has a place of its own, so that equal and simultaneous ones are heard. */
import { html, type TemplateResult } from 'lit-html';
import { titleOf } from './asked-view.js';
import { outcomeOf } from './card-view.js';
import type { Card } from './cards.js';
import { plain } from './text.js';
import { fill, type Words } from './words.js';

export class Announcer {
  private readonly texts = ['', '', '', ''];
  private count = 0;

  onNew([first, ...more]: readonly Card[], words: Words): void {
    if (!first) return;
    const title = plain(titleOf(first, words));
    this.say(more.length === 0 ? fill(words.newOne, { title }) : fill(words.newMany, { n: more.length + 1 }));
  }

  onDecided(card: Card, words: Words): void {
    this.say(fill(words.decided, { title: plain(titleOf(card, words)), outcome: plain(outcomeOf(card, words)) }));
  }

  onExpiring(card: Card, words: Words): void {
    this.say(fill(words.expires, { title: plain(titleOf(card, words)) }));
  }

  view(): TemplateResult {
    return html`<div class="hidden" role="status">${this.texts.map((text) => html`<p>${text}</p>`)}</div>`;
  }

  private say(text: string): void {
    this.texts[this.count++ % this.texts.length] = text;
  }
}
