/** A custom element that draws itself into a shadow root: at once, and then again when `LEAST_MS` have passed. */
import { render, type TemplateResult } from 'lit-html';

/** Between two drawings. Thousands of messages a second leave time for the reader. */
const LEAST_MS = 50;

/** On a server there is none, and none is made. */
const Base = (globalThis as { HTMLElement?: typeof HTMLElement }).HTMLElement ?? (Object as unknown as typeof HTMLElement);

export abstract class DrawnElement extends Base {
  protected readonly root: ShadowRoot;
  private isScheduled = false;
  private drawnAt = -Infinity;

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
    const waitMs = this.drawnAt + LEAST_MS - performance.now();
    if (waitMs > 0) setTimeout(() => this.drawNow(), waitMs);
    else queueMicrotask(() => this.drawNow());
  }

  private drawNow(): void {
    this.isScheduled = false;
    if (!this.isConnected) return;
    this.drawnAt = performance.now();
    render(this.view(), this.root);
    this.onDrawn();
  }

  protected abstract view(): TemplateResult;
  protected abstract onDrawn(): void;
}
