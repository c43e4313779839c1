/** The page of the stand-alone service in a real Chromium: what a person sees and does. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { NotifyUserOptions } from '../../src/notification/index.js';
import { startBrowser } from '../support/browser.js';
import { SECRET, tokenOf } from '../support/jwt.js';
import { startProcess } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');
/** What a page has once axe-core runs in it. */
declare const axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
/** The parts of the DOM that the tests use. */
declare const document: { documentElement: { scrollWidth: number; clientWidth: number } };
declare const window: { stolen?: unknown };

requireBinary('chromium')('the page', () => {
  let browser: Browser;
  let service: TestService;
  let context: BrowserContext;
  let users = 0;
  let user: string;

  beforeAll(async () => {
    service = await startService();
    browser = await startBrowser([]);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });
  beforeEach(async () => {
    context = await browser.newContext();
    user = `user-${++users}`;
  });
  afterEach(() => context.close());

  /** Opens the page as the test's user. */
  async function open(url = service.url, settings: { width?: number; dark?: boolean } = {}): Promise<Page> {
    const page = await context.newPage();
    await page.setViewportSize({ width: settings.width ?? 1000, height: 800 });
    await page.emulateMedia({ colorScheme: settings.dark ? 'dark' : 'light' });
    await page.goto(url);
    await page.getByLabel('You are').fill(user);
    await page.getByLabel('You are').press('Enter');
    await page.getByText('Connected', { exact: true }).waitFor();
    return page;
  }
  const ask = (message: string, options: NotifyUserOptions = {}, more: object = {}): Promise<unknown> =>
    service.notifications.notifyUser({ message, ...more }, user, `task-${message}-${user}`, 1, options);
  const yes = (page: Page) => page.getByRole('button', { name: 'Yes, go ahead' });
  const card = (page: Page, title: string) => page.getByRole('article', { name: title });
  /** What axe-core finds wrong. */
  const faults = async (page: Page): Promise<string[]> => {
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => axe.run());
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  };
  const overflow = (page: Page): Promise<number> =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

  it('takes a newcomer from the first look to the result of an answer, by mouse', async () => {
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(service.url);
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
    const page = await open();
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.getByRole('region', { name: 'Operations' }).getByText('active_connections').first().waitFor();
    expect(loaded).toContain('/page/operations.js');
    expect(await page.getByRole('button', { name: 'Try it' }).count()).toBe(0);
    expect(await faults(page)).toEqual([]);
    await page.goBack();
    await page.getByRole('button', { name: 'Try it' }).waitFor();
    await page.reload();
    expect(await page.locator('nav [aria-current]').textContent()).toBe('Inbox');
  }, 40_000);

  it('takes a newcomer to the result by keyboard alone', async () => {
    const page = await open();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await card(page, 'Switch to the new table?').waitFor();
    await page.evaluate(() => (document as unknown as { activeElement: { blur(): void } }).activeElement.blur());
    await page.keyboard.press('j');
    await page.keyboard.press('?');
    await page.getByText('Keys:').waitFor();
    await page.keyboard.press('r');
    await page.getByText('Finished: it stopped, because nobody said yes.').waitFor();
  }, 40_000);

  it('shows errors beside the fields of a form, and sends what is corrected', async () => {
    const page = await open();
    const answered = ask('Invite somebody?', {
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
    expect(await faults(page)).toEqual([]);
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
    const page = await open();
    const answered = ask('Delete it?', { risk: 'irreversible', onTimeout: 'abort' });
    await yes(page).dblclick();
    await page.getByText('are you sure?').waitFor();
    const back = page.locator('[data-back]:focus');
    await back.waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('are you sure?').waitFor({ state: 'detached' });
    await page.keyboard.press('a');
    await back.waitFor();
    expect(await faults(page)).toEqual([]);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await answered).toMatchObject({ proceed: true, outcome: 'answered' });
  }, 40_000);

  it('says who decided elsewhere and how, in a second tab too', async () => {
    const page = await open();
    const other = await open();
    const answered = ask('Ship it?', {
      choices: [
        { id: 'go', label: 'Ship', proceed: true },
        { id: 'stop', label: 'Wait', proceed: false },
      ],
    });
    await card(page, 'Ship it?').waitFor();
    await card(other, 'Ship it?').waitFor();
    await other.getByRole('button', { name: 'Ship', exact: true }).click();
    expect(await answered).toMatchObject({ choice: 'go' });
    await card(page, 'Ship it?').getByText(`by ${user}, via websocket`).waitFor();
    expect(await card(page, 'Ship it?').getByRole('button', { name: 'Wait' }).count()).toBe(0);
    await page.getByRole('status').filter({ hasText: 'Decided: Ship it?: Ship' }).waitFor({ state: 'attached' });
  }, 40_000);

  it('keeps a card while the connection is away, sends the answer afterwards, and says what had been decided before', async () => {
    const proxy = await TcpProxy.start({ port: service.port });
    const page = await open(`http://127.0.0.1:${proxy.port}`);
    const first = ask('First?');
    const second = ask('Second?');
    await card(page, 'Second?').waitFor();
    await proxy.refuse();
    proxy.cut();
    await page.getByText('Not connected.').waitFor();
    const { body } = await service.rest('GET', `/ws/users/${user}/confirmations`);
    const [confirmation] = (
      body as unknown as { confirmations: { callback_id: string; message: string }[] }
    ).confirmations.filter(({ message }) => message === 'Second?');
    await service.rest('POST', `/ws/confirmations/${confirmation!.callback_id}/answer`, { proceed: false });
    await card(page, 'First?').getByRole('button', { name: 'Yes' }).click();
    await card(page, 'Second?').getByRole('button', { name: 'Yes' }).click();
    await page.getByText('Your answer is sent once the connection is back.').first().waitFor();
    await proxy.resume();
    const decided = await Promise.all([first, second]);
    expect(decided.map((one) => (one as { proceed: boolean }).proceed).sort()).toEqual([false, true]);
    await page.getByText('Your answer did not count.').waitFor();
    proxy.cut();
  }, 60_000);

  it('survives the death of the server with a card open, and answers the server that follows', async () => {
    const one = await startProcess({ WEBSOCKET_DATA_DIR: service.dataDir + '/killed' });
    let two: Awaited<ReturnType<typeof startProcess>> | undefined;
    try {
      const page = await open(one.url);
      const question = { user_id: user, task_id: 'survivor', step: 1, step_result: { message: 'Still there?' } };
      const asked = await fetch(`${one.url}/ws/confirmations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(question),
      });
      const { callback_id: id } = (await asked.json()) as { callback_id: string };
      await card(page, 'Still there?').waitFor();
      await one.stop('SIGKILL');
      await page.getByText('Not connected.').waitFor();
      await yes(page).click();
      two = await startProcess({ WEBSOCKET_DATA_DIR: service.dataDir + '/killed', WEBSOCKET_PORT: String(one.port) });
      await card(page, 'Still there?').getByText('by you').waitFor();
      const state = await fetch(`${two.url}/ws/confirmations/${id}`);
      expect(await state.json()).toMatchObject({ state: 'answered', proceed: true, answered_by: user });
    } finally {
      await one.stop('SIGKILL');
      await two?.stop();
    }
  }, 60_000);

  it('shows injected text in every field and never runs it, and makes hidden characters visible', async () => {
    const page = await open();
    const payload = '<img src=x onerror="stolen=1"><script>stolen=1</script>';
    const dangerous = `${payload}\u202egnp.exe\u0007`;
    void service.notifications
      .notifyUser(
        {
          step: dangerous,
          message: `message ${dangerous}`,
          result: { [dangerous]: [dangerous] },
          error_code: dangerous,
          error_message: dangerous,
        },
        user,
        `task${payload}`,
        1,
        {
          title: `title ${dangerous}`,
          choices: [{ id: 'x', label: `label ${dangerous}`, proceed: true }],
          inputSchema: {
            type: 'object',
            title: dangerous,
            description: dangerous,
            properties: {
              [payload]: { type: 'string', title: dangerous, description: dangerous, default: payload },
              pick: { type: 'string', oneOf: [{ const: 'a', title: dangerous }] },
            },
          },
        },
      )
      .catch(() => undefined); // the service ends with the question open
    const shown = page.getByRole('article');
    await shown.waitFor();
    const text = (await shown.textContent()) ?? '';
    expect(text.split(payload).length - 1).toBeGreaterThanOrEqual(14);
    expect(text).toContain('U+202E');
    expect(text).toContain('U+0007');
    for (const hidden of ['\u202e', '\u0007']) expect(text).not.toContain(hidden);
    expect(await page.evaluate(() => window.stolen)).toBe(undefined);
    expect(await shown.locator('img, script').count()).toBe(0);
  }, 40_000);

  it.each([
    ['light', false, 1000],
    ['dark', true, 1000],
    ['light on a small phone', false, 320],
    ['dark on a small phone', true, 320],
  ])(
    'has no fault that axe-core finds, and scrolls in one direction only: %s',
    async (_what, dark, width) => {
      const page = await open(service.url, { dark, width });
      expect(await faults(page)).toEqual([]);
      const long = 'https://example.com/' + 'a'.repeat(300);
      void ask(
        'Read this?',
        { choices: [{ id: 'a', label: long, proceed: true }], title: 'T'.repeat(200) },
        { result: { [long]: { long: [1, long] } }, error_code: 7, error_message: 'It broke' },
      ).catch(() => undefined);
      await page.getByRole('article').first().waitFor();
      await service.notifications.sendToUser(user, {
        type: 'task_progress',
        task_id: `task-Read this?-${user}`,
        progress: 0.3,
        message: 'x',
      });
      await page.getByRole('progressbar').waitFor();
      expect(await faults(page)).toEqual([]);
      expect(await overflow(page)).toBe(0);
    },
    60_000,
  );

  it('draws thirty of many cards at first, and more as they are scrolled to', async () => {
    for (let step = 1; step <= 70; step += 1)
      await service.notifications.openConfirmation({
        userId: user,
        taskId: `many-${user}`,
        step,
        stepResult: { message: `Number ${step}?` },
      });
    const page = await open();
    await page.getByText('Show 40 more').waitFor();
    expect(await page.getByRole('article').count()).toBe(30);
    await page.getByRole('article').last().scrollIntoViewIfNeeded();
    await page.getByText('Show 40 more').scrollIntoViewIfNeeded();
    await page.getByRole('article').nth(59).waitFor();
  }, 40_000);

  it('runs the page that docs/page.md shows', async () => {
    const [, html = ''] = /^```html page\n([\s\S]*?)^```$/m.exec(readFileSync('docs/page.md', 'utf8')) ?? [];
    const pages = createServer(({ url }, response) => {
      if (url === '/element.js')
        response.setHeader('Content-Type', 'text/javascript').end(readFileSync('.build/src/page/element.js'));
      else response.setHeader('Content-Type', 'text/html').end(html.replace('localhost:8765', `127.0.0.1:${service.port}`));
    }).listen(0, '127.0.0.1');
    await once(pages, 'listening');
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    user = 'ann';
    const answered = ask('Is it in the element?');
    await yes(page).click();
    expect(await answered).toMatchObject({ proceed: true, answeredBy: 'ann' });
    await page.close();
    pages.close();
  }, 40_000);

  it('asks for a token in secure mode, shows what is the user’s, and has no demo', async () => {
    const secure = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET } });
    try {
      const page = await context.newPage();
      await page.goto(secure.url);
      expect(await page.getByRole('button', { name: 'Try it' }).count()).toBe(0);
      expect(await faults(page)).toEqual([]);
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
