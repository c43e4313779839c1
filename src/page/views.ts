/** The page's views: the fragment of its address names the one that is shown. *Operations* loads when it is first shown. */
import { plain } from './text.js';

/** Marks the parts of a view: `data-views="inbox try"`. */
const PARTS = '[data-views]';

export class Views {
  /** Ends the view of operations that is shown. */
  private stop: (() => void) | undefined;
  private token: string | undefined;

  /**
   * @param names the views that there are
   * @param first shown where the address names none of them
   */
  constructor(
    private readonly names: readonly string[],
    private readonly first: string,
  ) {
    addEventListener('hashchange', () => this.show());
    this.show();
  }

  /** The reader has become another: a token of secure mode. */
  identify(token: string | undefined): void {
    this.token = token;
    if (this.current === 'operations') this.show();
  }

  private get current(): string {
    const name = location.hash.slice(1);
    return this.names.includes(name) ? name : this.first;
  }

  private show(): void {
    const { current } = this;
    this.stop?.();
    this.stop = undefined;
    document.documentElement.dataset['view'] = current;
    for (const part of document.querySelectorAll<HTMLElement>(PARTS))
      part.hidden = !part.dataset['views']?.split(' ').includes(current);
    for (const link of document.querySelectorAll('nav a'))
      if (link.getAttribute('href') === `#${current}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    if (current === 'operations') void this.showOperations();
  }

  private async showOperations(): Promise<void> {
    const root = document.querySelector<HTMLElement>('[data-views=operations]');
    const { token } = this;
    const isWanted = (): boolean => this.current === 'operations' && this.token === token && !this.stop;
    try {
      const { showOperations } = await import('./operations.js');
      if (root && isWanted()) this.stop = showOperations(root, { token });
    } catch (error) {
      if (root && isWanted()) root.textContent = plain(`This view cannot be loaded: ${(error as Error).message}`);
    }
  }
}
