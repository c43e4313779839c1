/** What a card of the web page shows and takes. */
import { readFile } from 'node:fs/promises';
import { transform } from 'esbuild';
import type { Page } from 'playwright-core';
import { requireBinary } from '../support/system.js';
import { card, faultsOf, tab, WebPages, yes } from '../support/web-page.js';

declare const document: { querySelector(selector: string): { words: object } };

requireBinary('chromium')('a card of the page', () => {
  const pages = new WebPages();
  const confirmations = async (): Promise<Record<string, unknown>[]> => {
    const { body } = await pages.service.rest('GET', `/ws/users/${pages.user}/confirmations`);
    return (body['confirmations'] ?? []) as Record<string, unknown>[];
  };

  it('shows what an edit changes, line by line, and sends the edited proposal', async () => {
    const page = await pages.open();
    const mail = pages.ask('Send it?', { proposal: 'Dear Bea,\nwe ship on Monday.\nAnn', editable: true });
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Your version').fill('Dear Bea,\nwe ship on Friday.\nAnn');
    await page.locator('del', { hasText: '− we ship on Monday.' }).waitFor();
    await page.locator('ins', { hasText: '+ we ship on Friday.' }).waitFor();
    expect(await page.locator('[part=diff] del, [part=diff] ins').count()).toBe(2);
    expect(await faultsOf(page)).toEqual([]);
    await yes(page).click();
    expect(await mail).toMatchObject({ proceed: true, edited: 'Dear Bea,\nwe ship on Friday.\nAnn' });
  }, 40_000);

  it('refuses an edit that is no JSON where the proposal is JSON, and sends no edit where nothing was changed', async () => {
    const page = await pages.open();
    const run = pages.ask('Run it?', { proposal: { command: 'rm', args: ['-r'] }, editable: true });
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Your version').fill('{"command": ');
    await yes(page).click();
    await page.getByText('is not valid JSON').waitFor();
    await page.getByRole('button', { name: 'Undo the edit' }).click();
    await yes(page).click();
    const decision = await run;
    expect(decision).toMatchObject({ proceed: true });
    expect(decision).not.toHaveProperty('edited', expect.anything());
  }, 40_000);

  it('leaves for a while when it is dismissed, on other devices too, and returns before its deadline', async () => {
    const page = await pages.open();
    const other = await pages.open();
    pages.leave('Later?', { timeoutMs: 10_000, onTimeout: 'abort' });
    await card(other, 'Later?').waitFor();
    const later = card(page, 'Later?').getByRole('button', { name: 'Later', exact: true });
    const note = card(page, 'Later?').getByText('hides it until it is about to expire');
    await note.waitFor();
    expect(await note.getAttribute('id')).toBe(await later.getAttribute('aria-describedby'));
    await later.click();
    await card(page, 'Later?').waitFor({ state: 'detached' });
    await card(other, 'Later?').waitFor({ state: 'detached' });
    expect(await confirmations()).toMatchObject([{ state: 'pending', dismissed_until: expect.any(Number) }]);
    await card(page, 'Later?').waitFor();
  }, 40_000);

  it('cancels the task after it has asked once more, and shows that it is cancelled', async () => {
    const page = await pages.open();
    const asked = pages.ask('Go on?');
    await card(page, 'Go on?').getByRole('button', { name: 'Cancel the task' }).click();
    await page.getByText('Cancel the whole task').waitFor();
    await page.locator('[data-back]:focus').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await asked).toMatchObject({ outcome: 'cancelled', proceed: false });
    await card(page, 'Go on?').getByText('The task was cancelled').waitFor();
  }, 40_000);

  it('keeps what was typed when the user goes back from the second question', async () => {
    const page = await pages.open();
    pages.leave('Drop it?', { risk: 'irreversible', onTimeout: 'abort' });
    await page.getByLabel('Feedback').fill('Only the old one');
    await yes(page).click();
    await page.getByRole('button', { name: 'Go back' }).click();
    expect(await page.getByLabel('Feedback').inputValue()).toBe('Only the old one');
  }, 40_000);

  it('shows the words that the application gives instead of its own', async () => {
    const page = await pages.open();
    pages.leave('Weiter?');
    await card(page, 'Weiter?').waitFor();
    await page.evaluate(() => {
      document.querySelector('notification-inbox').words = { yes: 'Ja, weiter', inbox: 'Das wartet auf dich' };
    });
    await page.getByRole('button', { name: 'Ja, weiter' }).waitFor();
    await tab(page, 'Das wartet auf dich').waitFor();
    await page.getByRole('button', { name: 'No, stop' }).waitFor();
  }, 40_000);

  it('has no text and no punctuation of its own that the application cannot replace', async () => {
    const page = await pages.open();
    const step = { step: '1111', status: '2222', error_code: '3333', error_message: '4444', completed: true };
    pages.leave('5555', { title: '6666', timeoutMs: 84 * 3_600_000, choices: CHOICES, proposal: '7777', editable: true }, step);
    await card(page, '6666').waitFor();
    const { code } = await transform(await readFile('src/page/words.ts', 'utf8'), { loader: 'ts' });
    const { ENGLISH } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { ENGLISH: object };
    // Every letter and every sign becomes a §, but for the placeholders.
    const replaced = Object.entries(ENGLISH).map(([name, text]) => [
      name,
      typeof text === 'string' ? text.replaceAll(/[^{}]+(?![^{}]*})/g, '§') : undefined,
    ]);
    const words = Object.fromEntries(replaced.filter(([, text]) => text)) as object;
    await page.evaluate(`document.querySelector('notification-inbox').words = ${JSON.stringify(words)}`);
    await card(page, '6666').getByRole('button', { name: '§', exact: true }).first().waitFor();
    const text = await page.evaluate<string>(TEXT_OF_CARDS);
    // What the application gave, times in digits, and the age, which Intl writes.
    const rest = text.replaceAll(pages.taskOf('5555'), '').replace(/now|\d+ seconds? ago/, '');
    expect(rest.replaceAll(/[\d§\s]|(?<=\d):(?=\d)/g, '')).toBe('');
    expect(rest).toMatch(/3§1[12]:\d\d:\d\d/);
  }, 40_000);

  it.each([
    ['types', (page: Page) => page.keyboard.press('Shift')],
    ['touches it', (page: Page) => page.getByRole('article').tap()],
  ])(
    'stays while the reader %s, and leaves afterwards',
    async (_what, act) => {
      const page = await pages.open(undefined, { hasTouch: true });
      const { confirmation } = await pages.service.notifications.openConfirmation({
        userId: pages.user,
        taskId: pages.user,
        step: 1,
        stepResult: { message: 'Still here?' },
      });
      await card(page, 'Still here?').focus();
      await pages.service.notifications.answer(confirmation.callbackId, { userId: pages.user, via: 'chat' }, { proceed: true });
      await page.getByText('via chat').waitFor();
      const ahead = (ms: number): Promise<void> =>
        page.evaluate(`Date.now = () => performance.timeOrigin + performance.now() + ${ms}`);
      await Promise.all([ahead(7000), act(page)]);
      await act(page);
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 1500))');
      expect(await card(page, 'Still here?').count()).toBe(1);
      await ahead(20_000);
      await card(page, 'Still here?').waitFor({ state: 'detached' });
    },
    40_000,
  );

  it('is answered by touch', async () => {
    const page = await pages.open(undefined, { hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });
    const asked = pages.ask('Tap?');
    await yes(page).tap();
    expect(await asked).toMatchObject({ proceed: true });
  }, 40_000);

  it('makes room below the cards that are there, and shifts none of them', async () => {
    const page = await pages.open();
    pages.leave('The first?');
    await card(page, 'The first?').waitFor();
    // The browser forgives what shifts within half a second of an input.
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 600))');
    await page.evaluate(SHIFTS);
    for (let n = 1; n <= 5; n += 1) pages.leave(`Another ${n}?`);
    await tab(page, 'Waiting for you').getByText('6').waitFor();
    expect(await page.evaluate('shifts')).toEqual([]);
  }, 40_000);

  const openThree = async (page: Page): Promise<Promise<unknown>[]> => {
    await page.setViewportSize({ width: 1000, height: 1600 });
    const asked = [
      pages.ask('Plain?', {}, { result: { rows: 3 } }),
      pages.ask('With a form?', {
        inputSchema: {
          type: 'object',
          properties: { mail: { type: 'string', format: 'email', title: 'Mail' } },
          required: ['mail'],
        },
      }),
      pages.ask('For ever?', { risk: 'irreversible', onTimeout: 'abort' }),
    ];
    await card(page, 'For ever?').waitFor();
    await page.getByRole('button', { name: 'Select several' }).click();
    for (const title of ['Plain?', 'With a form?', 'For ever?'])
      await card(page, title).getByRole('checkbox', { name: 'Select' }).check();
    await page.getByRole('button', { name: 'Answer 3 selected' }).click();
    return asked;
  };

  it('is one of several that a dialog lists in full, each with its own answer and its own result', async () => {
    const page = await pages.open();
    const [plain, form, forEver] = await openThree(page);
    const dialog = page.getByRole('dialog');
    await dialog.getByText('rows').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Yes to all' }).click();
    await dialog.getByRole('button', { name: 'Send 2 answers' }).click();
    expect(await plain).toMatchObject({ proceed: true });
    await dialog.getByRole('article', { name: 'Plain?' }).getByText('by you').waitFor();
    await dialog.getByRole('article', { name: 'With a form?' }).getByText('is required').waitFor();
    await dialog.getByLabel('Mail').fill('bea@example.com');
    await dialog.getByRole('article', { name: 'For ever?' }).getByLabel('No, stop').check();
    await dialog.getByRole('button', { name: 'Send 2 answers' }).click();
    expect(await form).toMatchObject({ proceed: true, values: { mail: 'bea@example.com' } });
    expect(await forEver).toMatchObject({ proceed: false });
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
  }, 40_000);

  it('cannot be confirmed among several when it cannot be undone', async () => {
    const page = await pages.open();
    const asked = await openThree(page);
    const dialog = page.getByRole('dialog');
    const forEver = dialog.getByRole('article', { name: 'For ever?' });
    expect(await forEver.getByLabel('Yes, go ahead').isDisabled()).toBe(true);
    await dialog.getByRole('button', { name: 'Yes to all' }).click();
    expect(await forEver.getByLabel('No answer yet').isChecked()).toBe(true);
    await pages.service.notifications.cancelTask(pages.taskOf('For ever?'));
    await forEver.getByText('The task was cancelled').waitFor();
    await pages.service.notifications.cancelTask(pages.taskOf('Plain?'));
    await pages.service.notifications.cancelTask(pages.taskOf('With a form?'));
    await Promise.all(asked);
  }, 40_000);

  it('is listed as done, after a reload too, with who, when, the feedback and the values', async () => {
    const page = await pages.open();
    const asked = pages.ask('Invite?', {
      inputSchema: { type: 'object', properties: { mail: { type: 'string', title: 'Mail' } } },
    });
    await page.getByLabel('Mail').fill('bea@example.com');
    await page.getByLabel('Feedback').fill('Welcome her');
    await yes(page).click();
    await asked;
    await card(page, 'Invite?').getByRole('button', { name: 'Close' }).click();
    await tab(page, 'Done').click();
    await card(page, 'Invite?').getByText('Welcome her').waitFor();
    expect(await page.getByRole('article').count()).toBe(1);
    await page.reload();
    await page.getByText('Connected', { exact: true }).waitFor();
    await tab(page, 'Done').click();
    for (const text of ['by you, via websocket', 'Welcome her', 'bea@example.com'])
      await card(page, 'Invite?').getByText(text).waitFor();
    expect(await faultsOf(page)).toEqual([]);
  }, 40_000);

  it('stands among the steps of its task, with the task’s progress, last heartbeat and cancellation', async () => {
    const page = await pages.open();
    const asked = pages.ask('Copy?');
    await yes(page).click();
    await asked;
    const taskId = pages.taskOf('Copy?');
    const progress = { type: 'task_progress', task_id: taskId, progress: 40, message: 'Copying' };
    await pages.service.notifications.sendToUser(pages.user, progress);
    await tab(page, 'Your tasks').click();
    const task = page.getByRole('listitem').filter({ hasText: 'Copying' });
    await task.getByText('Copy?: Yes').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.4');
    // A task that has counted in percent goes on to.
    await pages.service.notifications.sendToUser(pages.user, { ...progress, progress: 1 });
    await page.locator('progress[value="0.01"]').waitFor();
    const later = Date.now() + 40_000;
    await page.evaluate(`Date.now = () => ${later}`);
    await task.getByText(/no sign for 4\d s/).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await task.getByRole('button', { name: 'Cancel the task' }).click();
    await task.getByText('Cancel the whole task').waitFor();
    await task.getByRole('button', { name: 'Cancel the task' }).click();
    await task.getByText('cancelled').waitFor();
    expect((await pages.service.rest('GET', `/ws/tasks/${encodeURIComponent(taskId)}`)).body).toMatchObject({ cancelled: true });
  }, 40_000);
});

const CHOICES = [
  { id: 'a', label: '8888', proceed: true },
  { id: 'b', label: '9999', proceed: false },
];

const TEXT_OF_CARDS = `document.querySelector('notification-inbox').shadowRoot.querySelector('.cards').innerText`;

/** Collects layout shifts from now on that no input caused. */
const SHIFTS = `globalThis.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) globalThis.shifts.push(value);
  }).observe({ type: 'layout-shift' })`;
