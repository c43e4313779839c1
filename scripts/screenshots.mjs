/**
 * Takes the pictures in `docs/images` of the page as it is: a service is started, a task asks, and Debian's Chromium shows it.
 *
 *   npm run docs:screenshots
 *   npm run check:screenshots    takes them elsewhere, and compares their sizes with those in docs/images
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { chromium } from 'playwright-core';
import { main, ROOT, SetupError } from './tools.mjs';

const IMAGES = join(ROOT, 'docs/images');
const PATIENCE_MS = 20_000;
const USER = 'ann';

const MAIL = {
  title: 'Send this mail to 1 204 customers?',
  message: 'The agent has written it from your notes. Nothing is sent before you agree.',
  proposal: 'Dear customer,\n\nwe move to a new data centre on Monday.\nYou need not do anything.\n\nThe team',
  editable: true,
  timeout: 3600,
};
const DEPLOYMENT = {
  title: 'Delete the old table?',
  message: 'The copy is complete. Two rows differ.',
  result: { copied: 48210, different: [1017, 20444] },
  risk: 'irreversible',
  timeout: 900,
};
const INVITATION = {
  title: 'Invite a reviewer',
  message: 'Somebody has to read the contract before it is signed.',
  timeout: 86_400,
  input_schema: {
    type: 'object',
    properties: {
      mail: { type: 'string', format: 'email', title: 'E-mail' },
      role: { type: 'string', enum: ['lawyer', 'engineer'], title: 'Role' },
    },
    required: ['mail'],
  },
};

await main(import.meta.url, async ([option]) => {
  const folder = option === '--check' ? mkdtempSync(join(tmpdir(), 'screenshots-')) : IMAGES;
  const pictures = [];
  const service = spawn(process.execPath, [join(ROOT, 'dist/main.js')], {
    env: { ...process.env, WEBSOCKET_HOST: '127.0.0.1', WEBSOCKET_PORT: '0', WEBSOCKET_DATA_DIR: ':memory:' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking'],
  });
  try {
    const url = `http://127.0.0.1:${await portOf(service)}`;
    for (const [index, question] of [MAIL, DEPLOYMENT, INVITATION].entries()) await ask(url, index + 1, question);
    const take = async (name, settings, arrange) => {
      await picture(browser, url, join(folder, `${name}.png`), settings, arrange);
      pictures.push(name);
    };
    await take('page', { viewport: { width: 820, height: 1110 } }, async (page) => {
      await page.getByRole('button', { name: 'Edit' }).click();
      const version = page.getByLabel('Your version');
      await version.fill((await version.inputValue()).replace('Monday', 'Friday, 4 December'));
      await page.locator('ins').waitFor();
    });
    await take('page-dark', { viewport: { width: 390, height: 760 }, colorScheme: 'dark' }, async (page) => {
      const card = page.getByRole('article', { name: 'Delete the old table?' });
      await card.getByRole('button', { name: 'Yes' }).click();
      await card.getByRole('button', { name: 'Go back' }).waitFor();
      await card.evaluate((element) => element.scrollIntoView({ block: 'center' }));
    });
  } finally {
    await browser.close();
    service.kill();
  }
  if (folder === IMAGES) return 0;
  const differing = pictures.filter((name) => sizeOf(folder, name) !== sizeOf(IMAGES, name));
  rmSync(folder, { recursive: true });
  for (const name of differing) process.stderr.write(`docs/images/${name}.png has another size: run npm run docs:screenshots\n`);
  return differing.length;
});

/** As a PNG's header says, in pixels. */
function sizeOf(folder, name) {
  const header = readFileSync(join(folder, `${name}.png`));
  return `${header.readUInt32BE(16)} x ${header.readUInt32BE(20)}`;
}

async function portOf(service) {
  const timer = setTimeout(() => service.kill(), PATIENCE_MS);
  for await (const chunk of service.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    const port = /listening on [^"]*:(\d+)/.exec(chunk)?.[1];
    if (port === undefined) continue;
    clearTimeout(timer);
    service.stdout.resume();
    return port;
  }
  const [code] = service.exitCode === null ? await once(service, 'exit') : [service.exitCode];
  throw new SetupError(`the service ended with ${code} before it listened`);
}

async function ask(url, step, { message, result, ...question }) {
  const response = await fetch(`${url}/ws/confirmations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      user_id: USER,
      task_id: `nightly-${step}`,
      step,
      step_result: { message, result },
      on_timeout: 'abort',
      ...question,
    }),
  });
  if (!response.ok) throw new SetupError(`the service refused a question: ${await response.text()}`);
}

/** @param arrange brings the page into the state that is shown */
async function picture(browser, url, path, settings, arrange) {
  const context = await browser.newContext(settings);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${url}/#inbox`);
  await page.getByRole('article', { name: INVITATION.title }).waitFor();
  await arrange(page);
  await page.screenshot({ path });
  await context.close();
}
