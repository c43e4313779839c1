/** A custom element that draws itself into a shadow root, once for all changes of one turn. */
import { render, type TemplateResult } from 'lit-html';

export abstract class DrawnElement extends HTMLElement {
  protected readonly root: ShadowRoot;
  private isScheduled = false;

  constructor(styles: string) {
    super();
    this.root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    this.root.adoptedStyleSheets = [sheet];
  }

  /** Draws soon. */
  protected draw(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      render(this.view(), this.root);
      this.onDrawn();
    });
  }

  protected abstract view(): TemplateResult;
  protected abstract onDrawn(): void;
}
