/** How the web page looks: every view in every theme, on every size, in both directions. */
import type { BrowserContextOptions, Page } from 'playwright-core';
import { requireBinary } from '../support/system.js';
import { card, faultsOf, overflowOf, tab, WebPages, yes } from '../support/web-page.js';

declare const document: { documentElement: { dir: string; lang: string } };

const LONG = `https://example.com/${'a'.repeat(300)}`;
const THEMES: [string, BrowserContextOptions][] = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['forced colours', { forcedColors: 'active' }],
  ['light on a small phone', { colorScheme: 'light', viewport: { width: 320, height: 640 } }],
  ['dark at 400 %', { colorScheme: 'dark', viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }],
];

requireBinary('chromium')('the page, as it looks', () => {
  const pages = new WebPages();

  /** Asks something with everything that a card can show, and something that is decided. */
  async function fill(page: Page): Promise<void> {
    const { user, service } = pages;
    const decided = pages.ask('Done already?', { timeoutMs: 60_000 });
    await yes(page).click();
    await decided;
    pages.leave(
      'Read this?',
      {
        choices: [{ id: 'a', label: LONG, proceed: true }],
        title: 'T'.repeat(200),
        risk: 'irreversible',
        onTimeout: 'abort',
        proposal: { to: LONG },
        editable: true,
        metadata: { [LONG]: 1 },
        inputSchema: {
          type: 'object',
          title: 'Form',
          properties: { [LONG.slice(0, 60)]: { type: 'boolean' }, at: { type: 'string', format: 'date-time' } },
        },
      },
      { result: { [LONG]: { long: [1, LONG] } }, error_code: 7, error_message: 'It broke', status: 'waiting' },
    );
    pages.leave('Another?');
    await service.notifications.sendToUser(user, {
      type: 'task_progress',
      task_id: pages.taskOf('Read this?'),
      progress: 0.3,
      message: LONG,
    });
  }

  it.each(THEMES)(
    'has no fault that axe-core finds, and scrolls in one direction only, in every view: %s',
    async (_theme, settings) => {
      const page = await pages.open(undefined, settings);
      const check = async (): Promise<void> => {
        expect(await faultsOf(page)).toEqual([]);
        expect(await overflowOf(page)).toBe(0);
      };
      await check();
      await fill(page);
      await card(page, 'T'.repeat(200)).getByRole('button', { name: 'Edit' }).click();
      await page.getByLabel('Your version').fill('{"to": ""}');
      await page.locator('del').first().waitFor();
      await check();
      await page.getByRole('button', { name: 'Select several' }).click();
      await card(page, 'T'.repeat(200)).getByRole('checkbox', { name: 'Select' }).check();
      await page.getByRole('button', { name: 'Answer 1 selected' }).click();
      await page.getByRole('dialog').getByText('No answer yet').waitFor();
      await check();
      await page.keyboard.press('Escape');
      await tab(page, 'Your tasks').click();
      await page.getByRole('progressbar').waitFor();
      await check();
      await tab(page, 'Done').click();
      await card(page, 'Done already?').waitFor();
      await check();
      await page.goto(`${pages.service.url}/#operations`);
      await check();
    },
    60_000,
  );

  it('reads from right to left, with the accent of a card on its first side', async () => {
    const page = await pages.open();
    await page.evaluate(() => Object.assign(document.documentElement, { dir: 'rtl', lang: 'ar' }));
    pages.leave('هل نتابع؟');
    const article = card(page, 'هل نتابع؟');
    await article.waitFor();
    const box = await article.boundingBox();
    const button = await yes(article).boundingBox();
    const feedback = await article.getByLabel('Feedback').boundingBox();
    if (!box || !button || !feedback) throw new Error('the card is not drawn');
    // The first button begins where lines begin: at the right.
    expect(box.x + box.width - (button.x + button.width)).toBeLessThan(40);
    expect(button.x).toBeGreaterThan(box.x + 100);
    expect(await overflowOf(page)).toBe(0);
    expect(await faultsOf(page)).toEqual([]);
  }, 40_000);

  it('is drawn in a language that Intl does not know', async () => {
    const page = await pages.open();
    await page.evaluate(() => Object.assign(document.documentElement, { lang: 'en_US' }));
    pages.leave('Still there?');
    await card(page, 'Still there?').waitFor();
  }, 40_000);
});
