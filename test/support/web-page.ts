/** A service, a Chromium, and for each test a user of its own on the service's web page. */
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import type { NotifyUserOptions } from '../../src/notification/index.js';
import { startBrowser } from './browser.js';
import { startService, type TestService } from './service.js';

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');
/** What a page has once axe-core runs in it. */
declare const axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
declare const document: { documentElement: { scrollWidth: number; clientWidth: number } };

export class WebPages {
  browser!: Browser;
  service!: TestService;
  context!: BrowserContext;
  /** The user of the running test. */
  user = '';
  private users = 0;

  /** Registers the hooks of a test file. */
  constructor(environment: Record<string, string> = {}) {
    beforeAll(async () => {
      this.service = await startService({ environment });
      this.browser = await startBrowser([]);
    }, 60_000);
    afterAll(async () => {
      await this.browser.close();
      await this.service.stop();
    });
    beforeEach(async () => {
      this.context = await this.browser.newContext();
      this.user = `user-${++this.users}`;
    });
    afterEach(() => this.context.close());
  }

  /** Opens the page as the test's user. */
  async open(url = this.service.url, settings: BrowserContextOptions = {}): Promise<Page> {
    if (Object.keys(settings).length > 0) {
      await this.context.close();
      this.context = await this.browser.newContext(settings);
    }
    const page = await this.context.newPage();
    await page.setViewportSize(settings.viewport ?? { width: 1000, height: 800 });
    await page.goto(url);
    await page.getByLabel('You are').fill(this.user);
    await page.getByLabel('You are').press('Enter');
    await page.getByText('Connected', { exact: true }).waitFor();
    return page;
  }

  ask(message: string, options: NotifyUserOptions = {}, more: object = {}): Promise<unknown> {
    return this.service.notifications.notifyUser({ message, ...more }, this.user, this.taskOf(message), 1, options);
  }

  /** Asks what the test leaves open. */
  leave(message: string, options: NotifyUserOptions = {}, more: object = {}): void {
    this.service.ask({ message, ...more }, this.user, this.taskOf(message), 1, options);
  }

  taskOf(message: string): string {
    return `task-${message}-${this.user}`;
  }
}

export const card = (page: Page, title: string): Locator => page.getByRole('article', { name: title });
export const yes = (within: Page | Locator): Locator => within.getByRole('button', { name: 'Yes, go ahead' });
export const tab = (page: Page, name: string): Locator => page.locator('[part=tab]').filter({ hasText: name });

/** What axe-core finds wrong. */
export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Pixels by which the page is wider than its window. */
export const overflowOf = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
