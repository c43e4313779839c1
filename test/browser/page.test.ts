/** The page of the stand-alone service in a real Chromium: what a person sees and does. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SECRET, tokenOf } from '../support/jwt.js';
import { startService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { card, faultsOf, WebPages, yes } from '../support/web-page.js';

declare const document: { activeElement: { blur(): void } };

requireBinary('chromium')('the page', () => {
  const pages = new WebPages();

  it('takes a newcomer from the first look to the result of an answer, by mouse', async () => {
    const page = await pages.context.newPage();
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(pages.service.url);
    await page.getByRole('button', { name: 'Try it' }).click();
    await card(page, 'Switch to the new table?').waitFor();
    await yes(page).dblclick();
    await page.getByText('Finished: it went ahead, because you said yes.').waitFor();
    expect(await page.getByText('"proceed":true').textContent()).toContain('"answered_by":"ann"');
    await card(page, 'Switch to the new table?').getByText('by you').waitFor();
    await card(page, 'Switch to the new table?').waitFor({ state: 'detached' });
    expect(errors).toEqual([]);
  }, 40_000);

  it('shows the view that the address names, and loads what operators see when it is first shown', async () => {
    const page = await pages.open();
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.getByRole('region', { name: 'Nodes' }).waitFor();
    expect(loaded).toContain('/page/operations.js');
    expect(await page.getByRole('button', { name: 'Try it' }).count()).toBe(0);
    expect(await faultsOf(page)).toEqual([]);
    await page.goBack();
    await page.getByRole('button', { name: 'Try it' }).waitFor();
    await page.reload();
    expect(await page.locator('nav [aria-current]').textContent()).toBe('Inbox');
  }, 40_000);

  it('takes a newcomer to the result by keyboard alone', async () => {
    const page = await pages.open();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await card(page, 'Switch to the new table?').waitFor();
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('?');
    await page.getByText('Keys:').waitFor();
    await page.keyboard.press('j');
    await page.locator('article:focus').waitFor();
    await page.keyboard.press('r');
    await page.getByText('Finished: it stopped, because nobody said yes.').waitFor();
  }, 40_000);

  it('shows errors beside the fields of a form, and sends what is corrected', async () => {
    const page = await pages.open();
    const answered = pages.ask('Invite somebody?', {
      inputSchema: {
        type: 'object',
        properties: {
          email: { type: 'string', format: 'email', title: 'E-mail' },
          seats: { type: 'integer', minimum: 1, default: 2 },
          role: { type: 'string', enum: ['reader', 'writer'] },
          tags: { type: 'array', items: { type: 'string', enum: ['new', 'old'] } },
          urgent: { type: 'boolean' },
        },
        required: ['email'],
      },
    });
    await page.getByLabel('E-mail').fill('nobody');
    await yes(page).click();
    await page.getByText('must be a valid email').waitFor();
    expect(await page.evaluate("document.querySelector('notification-inbox').shadowRoot.activeElement.type")).toBe('email');
    expect(await page.getByLabel('E-mail').getAttribute('aria-describedby')).toMatch(/-e$/);
    expect(await faultsOf(page)).toEqual([]);
    await page.getByLabel('E-mail').fill('bea@example.com');
    await page.getByLabel('role').selectOption('writer');
    await page.getByLabel('new').check();
    await page.getByLabel('Feedback').fill('Welcome');
    await yes(page).click();
    expect(await answered).toMatchObject({
      proceed: true,
      feedback: 'Welcome',
      values: { email: 'bea@example.com', seats: 2, role: 'writer', tags: ['new'], urgent: false },
    });
  }, 40_000);

  it('asks once more before something irreversible, with the focus on going back', async () => {
    const page = await pages.open();
    const answered = pages.ask('Delete it?', { risk: 'irreversible', onTimeout: 'abort' });
    await yes(page).dblclick();
    await page.getByText('are you sure?').waitFor();
    const back = page.locator('[data-back]:focus');
    await back.waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('are you sure?').waitFor({ state: 'detached' });
    await page.keyboard.press('a');
    await back.waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await answered).toMatchObject({ proceed: true, outcome: 'answered' });
  }, 40_000);

  it('says who decided elsewhere and how, in a second tab too', async () => {
    const page = await pages.open();
    const other = await pages.open();
    const answered = pages.ask('Ship it?', {
      choices: [
        { id: 'go', label: 'Ship', proceed: true },
        { id: 'stop', label: 'Wait', proceed: false },
      ],
    });
    await card(page, 'Ship it?').waitFor();
    await card(other, 'Ship it?').waitFor();
    await other.getByRole('button', { name: 'Ship', exact: true }).click();
    expect(await answered).toMatchObject({ choice: 'go' });
    await card(page, 'Ship it?').getByText(`by ${pages.user}, via websocket`).waitFor();
    expect(await card(page, 'Ship it?').getByRole('button', { name: 'Wait' }).count()).toBe(0);
    await page.getByRole('status').filter({ hasText: 'Decided: Ship it?: Ship' }).waitFor({ state: 'attached' });
  }, 40_000);

  it('keeps what is typed into a card with that card when another one leaves', async () => {
    const page = await pages.open();
    const first = pages.ask('First of two?');
    const second = pages.ask('Second of two?');
    await card(page, 'Second of two?').getByLabel('Feedback').fill('For the second');
    await card(page, 'First of two?').getByRole('button', { name: 'Yes' }).click();
    await first;
    await card(page, 'First of two?').getByRole('button', { name: 'Close' }).click();
    await card(page, 'First of two?').waitFor({ state: 'detached' });
    expect(await card(page, 'Second of two?').getByLabel('Feedback').inputValue()).toBe('For the second');
    await card(page, 'Second of two?').getByRole('button', { name: 'Yes' }).click();
    expect(await second).toMatchObject({ feedback: 'For the second' });
  }, 40_000);

  it('runs the page that docs/page.md shows', async () => {
    const [, html = ''] = /^```html page\n([\s\S]*?)^```$/m.exec(readFileSync('docs/page.md', 'utf8')) ?? [];
    const files = createServer(({ url }, response) => {
      if (url === '/element.js')
        response.setHeader('Content-Type', 'text/javascript').end(readFileSync('.build/src/page/element.js'));
      else response.setHeader('Content-Type', 'text/html').end(html.replace('localhost:8765', `127.0.0.1:${pages.service.port}`));
    }).listen(0, '127.0.0.1');
    await once(files, 'listening');
    const page = await pages.context.newPage();
    await page.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    pages.user = 'ann';
    const answered = pages.ask('Is it in the element?');
    await yes(page).click();
    expect(await answered).toMatchObject({ proceed: true, answeredBy: 'ann' });
    await page.close();
    files.close();
  }, 40_000);

  it('asks for a token in secure mode, shows what is the user’s, and has no demo', async () => {
    const secure = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET } });
    try {
      const page = await pages.context.newPage();
      await page.goto(secure.url);
      expect(await page.getByRole('button', { name: 'Try it' }).count()).toBe(0);
      expect(await faultsOf(page)).toEqual([]);
      await page.getByLabel('Your token').fill(await tokenOf('ann'));
      await page.getByRole('button', { name: 'Connect' }).click();
      await page.getByText('Connected', { exact: true }).waitFor();
      const answered = secure.notifications.notifyUser({ message: 'Really you?' }, 'ann', 'secure', 1);
      await yes(page).click();
      expect(await answered).toMatchObject({ proceed: true, answeredBy: 'ann' });
    } finally {
      await secure.stop();
    }
  }, 40_000);
});
