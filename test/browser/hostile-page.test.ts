/**
 * A page of another origin in a real browser, against open mode: it tries every way in that a page has. Its names lead to
 * this machine, as a page of this machine's own would, so that nothing but the service stops it.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../support/browser.js';
import type { TestClient } from '../support/client.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

/** What a page learned by each of its attempts; `null` where the browser gave it nothing. */
type Attempts = Record<string, { read: string | null }>;

const HTML = '<!doctype html><meta charset="utf-8"><title>A page</title>';

requireBinary('chromium')('in open mode', () => {
  let pages: Server;
  let pagesPort: number;
  let browser: Browser;
  let service: TestService;
  let base: string;
  let callbackId: string;
  let witness: TestClient;
  let script: string;

  const call = (name: 'attack' | 'work', given: object): string => `${script};globalThis.${name}(${JSON.stringify(given)})`;

  beforeAll(async () => {
    script = await readFile('test/browser/page.mjs', 'utf8');
    pages = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(HTML)).listen(
      0,
      '127.0.0.1',
    );
    await once(pages, 'listening');
    pagesPort = (pages.address() as AddressInfo).port;
    service = await startService({ environment: { WEBSOCKET_ALLOWED_ORIGINS: `http://listed.example:${pagesPort}` } });
    base = `http://127.0.0.1:${service.port}`;
    browser = await startBrowser(['evil.example', 'listed.example', 'rebound.example']);
    const { confirmation } = await service.notifications.openConfirmation({
      userId: 'ann',
      taskId: 'task',
      step: 1,
      stepResult: { message: 'Delete everything?' },
    });
    callbackId = confirmation.callbackId;
    witness = await service.connectAs('ann');
    await witness.next('task_step_result');
  }, 60_000);

  afterAll(async () => {
    await browser.close();
    pages.closeAllConnections();
    pages.close();
    await service.stop();
  });

  async function open(url: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(url);
    return page;
  }

  /** Nothing happened that a page could have done. */
  async function expectUntouched(): Promise<void> {
    await witness.settled();
    expect(await service.notifications.getConfirmation(callbackId)).toMatchObject({ state: 'pending' });
    expect(await service.notifications.getTask('task')).toMatchObject({ cancelled: false });
    expect(witness.pendingFrames(({ type }) => type !== 'pong')).toEqual([]);
  }

  it.each([
    ['a page of another origin', () => `http://evil.example:${pagesPort}/`, false],
    ['a page in a sandboxed frame of this machine', () => `http://localhost:${pagesPort}/`, true],
  ])(
    '%s can neither read nor answer nor cancel nor publish',
    async (_what, url, sandboxed) => {
      const page = await open(url());
      const frame = sandboxed ? await page.evaluateHandle(`${script};globalThis.sandbox()`) : undefined;
      const target = (await frame?.asElement()?.contentFrame()) ?? page;
      const results = await target.evaluate<Attempts>(call('attack', { base, id: callbackId }));
      expect(Object.keys(results).length).toBeGreaterThan(20);
      expect(Object.entries(results).filter(([, { read }]) => read !== null)).toEqual([]);
      await expectUntouched();
      await page.close();
    },
    60_000,
  );

  it('a page whose name was pointed at this machine afterwards can neither read nor answer', async () => {
    const page = await browser.newPage();
    const own = `http://rebound.example:${service.port}`;
    // The page came from somewhere else; what it fetches comes from here.
    await page.route(`${own}/page`, (route) => route.fulfill({ contentType: 'text/html', body: HTML }));
    await page.goto(`${own}/page`);
    const results = await page.evaluate<Attempts>(call('attack', { base: own, id: callbackId }));
    const readable = Object.entries(results).filter(([, { read }]) => read !== null && !read.includes('FORBIDDEN'));
    expect(readable).toEqual([]);
    await expectUntouched();
    await page.close();
  }, 60_000);

  it.each([
    ['the own page', () => `${base}/docs`],
    ['a listed page', () => `http://listed.example:${pagesPort}/`],
    ['a development server’s page', () => `http://localhost:${pagesPort}/`],
  ])(
    '%s asks and answers',
    async (_what, url) => {
      const page = await open(url());
      expect(await page.evaluate(call('work', { base }))).toEqual({
        status: 200,
        decision: 'answered true',
        reply: 'confirmation_accepted',
      });
      await page.close();
      await expectUntouched();
    },
    60_000,
  );
});
