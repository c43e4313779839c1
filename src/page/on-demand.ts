/** What the element loads when it is first needed (`more.ts`), and what it has got from it. */
import { html, nothing, type TemplateResult } from 'lit-html';
import { proposalText } from './asked-view.js';
import type { BatchDialog } from './batch-dialog.js';
import type { CardContext } from './card-context.js';
import type { Card, Cards } from './cards.js';
import { KIT } from './kit.js';
import type * as More from './more.js';
import { loadingView } from './panes.js';
import type { Tasks } from './tasks.js';
import type { Words } from './words.js';

export class OnDemand {
  /** Absent until they are loaded. */
  views: typeof More | undefined;
  /** What was done before, once it is read. */
  past: readonly Card[] | undefined;
  /** The dialog that is open. */
  batch: BatchDialog | undefined;
  /** Why something could not be loaded. The next attempt clears it. */
  problem = '';
  private loading: Promise<typeof More> | undefined;

  constructor(private readonly onChange: () => void) {}

  /** The element has no client any more. */
  reset(): void {
    this.past = this.batch = undefined;
  }

  async load(): Promise<void> {
    this.problem = '';
    try {
      this.loading ??= import('./more.js');
      this.views = await this.loading;
    } catch (error) {
      this.loading = undefined;
      this.problem = (error as Error).message;
    }
    this.onChange();
  }

  /** Reads what was done before. */
  async readPast(cards: Cards): Promise<void> {
    await this.load();
    try {
      this.past = await this.views?.readHistory(KIT, cards.client);
    } catch (error) {
      this.problem = (error as Error).message;
    }
    this.onChange();
  }

  /** Opens the dialog in which selected cards are answered. */
  async openBatch(cards: Cards, selected: readonly Card[], onClose: () => void): Promise<void> {
    await this.load();
    for (const card of selected) if (card.phase === 'sure') card.phase = 'open';
    const close = (): void => {
      this.batch = undefined;
      onClose();
    };
    this.batch = this.views && new this.views.BatchDialog(KIT, cards, selected, this.onChange, close);
    this.onChange();
  }

  /** The button that begins an edit, or where it is edited. */
  editView(card: Card, context: CardContext): TemplateResult | typeof nothing {
    const { asked, edited } = card;
    const { actions, words } = context;
    if (!asked.editable) return nothing;
    const begin = (): void => {
      actions.edit(card, proposalText(asked.proposal));
      void this.load();
    };
    if (edited === undefined) return html`<button part="button" @click=${begin}>${words.edit}</button>`;
    return this.views?.editView(KIT, card, edited, context) ?? loadingView(this.problem, words);
  }

  formView({ asked, fields }: Card, key: string, words: Words): TemplateResult | typeof nothing {
    if (!asked.input_schema) return nothing;
    return this.views?.formOf(KIT, asked.input_schema, key, fields, words) ?? loadingView(this.problem, words);
  }

  tasksView(tasks: Tasks | undefined, cards: Cards | undefined, words: Words): TemplateResult {
    if (!this.views || !tasks || !cards) return loadingView(this.problem, words);
    return this.views.tasksView(KIT, tasks, [...cards.list, ...cards.done], words);
  }
}
