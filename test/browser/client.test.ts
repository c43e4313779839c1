/** The client library in a real Chromium: what happens to pages, and what no test outside of a browser sees. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type * as client from '../../src/client/index.js';
import { startBrowser } from '../support/browser.js';
import { serveClientPage, type ClientPage } from '../support/client-page.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startProcess } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** What the page has. */
declare const wm: typeof client;
interface InPage {
  client: client.NotificationClient;
  states: string[];
  isSubscribed?: boolean;
  messages: unknown[];
  XMLHttpRequest: new () => { open(method: string, url: string, async: boolean): void; send(): void };
  addEventListener(type: 'pageshow', listener: (event: { persisted: boolean }) => void): void;
}
/** The page's own name for itself. */
declare const page: InPage;

requireBinary('chromium')('a client in a browser', () => {
  let pages: ClientPage;
  let browser: Browser;
  let context: BrowserContext;
  let service: TestService;
  let proxy: TcpProxy;
  let tokens = 0;
  let onHold: () => void = () => undefined;
  let release: () => void = () => undefined;

  beforeAll(async () => {
    pages = await serveClientPage('export * from "./src/client/index.ts"', {
      '/hold': () =>
        new Promise((resolve) => {
          release = () => resolve('');
          onHold();
        }),
      '/token': () => tokenOf('ann', { lives: ++tokens === 1 ? 3 : 60 }),
    });
    service = await startService();
    browser = await startBrowser([]);
  }, 25_000);
  afterAll(async () => {
    await browser.close();
    await pages.stop();
    await service.stop();
  });
  beforeEach(async () => {
    proxy = await TcpProxy.start({ port: service.port });
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    await proxy.refuse();
    proxy.cut();
  });

  /** Opens a page whose client has subscribed as a user, and keeps its states. */
  async function open(userId: string): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(pages.url);
    await opened.evaluate(
      ([url, user]) => {
        page.states = [];
        page.messages = [];
        page.client = wm.connect(url!, { userId: user });
        page.client.onState(({ status }) => page.states.push(status));
        page.client.channel('news', ({ number }) => page.messages.push(number), { snapshot: () => (page.isSubscribed = true) });
      },
      [`ws://127.0.0.1:${proxy.port}/ws`, userId],
    );
    await opened.waitForFunction(() => page.isSubscribed);
    return opened;
  }
  const connected = (opened: Page): Promise<unknown> => opened.waitForFunction(() => page.client.state.status === 'open');
  const shows = (opened: Page, count: number): Promise<unknown> =>
    opened.waitForFunction((wanted) => page.client.confirmations.getSnapshot().length === wanted, count);
  /** Stops everything in the page, timers and messages included, until `release()`: it waits for a server in its main thread. */
  const freeze = async (opened: Page): Promise<void> => {
    const held = new Promise<void>((resolve) => (onHold = resolve));
    void opened.evaluate(() => {
      const request = new page.XMLHttpRequest();
      request.open('GET', '/hold', false);
      request.send();
    });
    await held;
  };
  const answer = (opened: Page): Promise<void> =>
    opened.evaluate(async () => {
      const [first] = page.client.confirmations.getSnapshot();
      await page.client.confirmations.answer(first!.callback_id, { proceed: true });
    });
  const connectionsOf = async (userId: string): Promise<unknown> => (await service.rest('GET', `/ws/users/${userId}`)).body;
  const ask = (userId: string, taskId: string): ReturnType<TestService['notifications']['notifyUser']> =>
    service.notifications.notifyUser({ message: 'Go on?' }, userId, taskId, 1);

  it('answers offline, and connects and delivers at once when the browser is online again', async () => {
    const opened = await open('off');
    const asked = ask('off', 'off-1');
    await shows(opened, 1);
    await context.setOffline(true);
    await proxy.refuse();
    proxy.cut();
    await opened.waitForFunction(() => page.client.state.status === 'waiting');
    const answered = answer(opened);
    await proxy.resume();
    await context.setOffline(false);
    await answered;
    expect(await asked).toMatchObject({ outcome: 'answered', proceed: true });
  }, 30_000);

  it('shares one connection among tabs, each with its own channels, and the next tab takes over', async () => {
    const one = await open('tabs');
    const other = await open('tabs');
    expect(await connectionsOf('tabs')).toMatchObject({ connections: 1 });
    const asked = ask('tabs', 'tabs-1');
    await Promise.all([shows(one, 1), shows(other, 1)]);
    await answer(other);
    await Promise.all([shows(one, 0), shows(other, 0)]);
    expect(await asked).toMatchObject({ proceed: true, answeredBy: 'tabs' });
    await service.notifications.publish('news', { type: 'news', number: 1 });
    for (const tab of [one, other]) await tab.waitForFunction(() => page.messages.length === 1);
    await one.close();
    await other.waitForFunction(() => page.states.includes('waiting') && page.client.state.status === 'open');
    const again = ask('tabs', 'tabs-2');
    await shows(other, 1);
    await answer(other);
    expect(await again).toMatchObject({ proceed: true });
    expect(await other.evaluate(() => page.messages)).toEqual([1]);
  }, 30_000);

  it('delivers what a tab has answered offline when the tab that held the connection dies, and loses no prompt', async () => {
    const holder = await open('leader');
    const other = await open('leader');
    const asked = ask('leader', 'leader-1');
    await Promise.all([shows(holder, 1), shows(other, 1)]);
    await proxy.refuse();
    proxy.cut();
    for (const tab of [holder, other]) await tab.waitForFunction(() => page.client.state.status === 'waiting');
    const answered = answer(other);
    const second = ask('leader', 'leader-2');
    // The holder has an answer of its own, which ends with it: its user sees the prompt in the other tab, and answers there.
    void answer(holder).catch(() => undefined);
    await holder.close();
    await proxy.resume();
    await answered;
    expect(await asked).toMatchObject({ outcome: 'answered', proceed: true });
    await shows(other, 1);
    await answer(other);
    expect(await second).toMatchObject({ outcome: 'answered', proceed: true });
  }, 40_000);

  it('counts one of two answers that two tabs give at once, and the other tab learns which', async () => {
    const tabs = [await open('both'), await open('both')];
    for (let round = 1; round <= 10; round += 1) {
      const asked = ask('both', `both-${round}`);
      await Promise.all(tabs.map((tab) => shows(tab, 1)));
      const outcomes = await Promise.all(
        tabs.map((tab, index) =>
          tab.evaluate(async (proceed) => {
            const [first] = page.client.confirmations.getSnapshot();
            try {
              await page.client.confirmations.answer(first!.callback_id, { proceed });
              return proceed;
            } catch (error) {
              return (error as client.AlreadyResolvedError).decision.proceed === !proceed && 'learned';
            }
          }, index === 0),
        ),
      );
      const { proceed } = await asked;
      expect(outcomes).toEqual(proceed ? [true, 'learned'] : ['learned', false]);
      await Promise.all(tabs.map((tab) => shows(tab, 0)));
    }
    expect(await connectionsOf('both')).toMatchObject({ connections: 1 });
  }, 40_000);

  it('takes the connection from a tab that is frozen, and loses no message', async () => {
    const frozen = await open('cold');
    await freeze(frozen);
    const awake = await open('cold');
    const asked = ask('cold', 'cold-1');
    await shows(awake, 1);
    await answer(awake);
    expect(await asked).toMatchObject({ proceed: true });
    await service.notifications.publish('news', { type: 'news', number: 1 });
    release();
    await shows(frozen, 0);
    for (const tab of [frozen, awake]) await tab.waitForFunction(() => page.messages.length === 1);
  }, 30_000);

  it('sees by itself what happened while its page was frozen and its connection broke', async () => {
    const opened = await open('asleep');
    await freeze(opened);
    proxy.cut();
    await service.notifications.publish('news', { type: 'news', number: 7 });
    const asked = ask('asleep', 'asleep-1');
    release();
    await shows(opened, 1);
    await opened.waitForFunction(() => page.messages.includes(7));
    await answer(opened);
    expect(await asked).toMatchObject({ proceed: true });
  }, 30_000);

  it('lets its page into the back-forward cache, and goes on when the page is restored', async () => {
    const opened = await open('back');
    await opened.evaluate(() => page.addEventListener('pageshow', ({ persisted }) => page.states.push(`persisted ${persisted}`)));
    await opened.goto(`${pages.url.replace('127.0.0.1', 'localhost')}/`);
    await service.notifications.publish('news', { type: 'news', number: 3 });
    const asked = ask('back', 'back-1');
    // A restored page navigates nowhere, which is what Playwright would wait for.
    await opened.goBack({ waitUntil: 'commit', timeout: 2000 }).catch(() => undefined);
    await shows(opened, 1);
    await opened.waitForFunction(() => page.messages.includes(3));
    await answer(opened);
    expect(await asked).toMatchObject({ proceed: true });
    expect(await opened.evaluate(() => page.states)).toContain('persisted true');
  }, 30_000);

  it('counts an answer once when the server is killed before its reply, and the answer is sent again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'client-'));
    let node = await startProcess({ WEBSOCKET_DATA_DIR: folder, WEBSOCKET_LOG_LEVEL: 'info' });
    const { port } = node;
    proxy.pointAt(port);
    const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const response = await fetch(`${node.url}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      return (await response.json()) as Record<string, unknown>;
    };
    try {
      const opened = await open('kill');
      const prompt = { user_id: 'kill', task_id: 'kill', step: 1, step_result: { message: 'Go?' }, on_timeout: 'abort' };
      const { callback_id: callbackId } = await call('POST', '/ws/confirmations', prompt);
      await shows(opened, 1);
      proxy.blackHole(['down']);
      const answered = answer(opened);
      const decided = `/ws/confirmations/${String(callbackId)}?wait=20`;
      expect(await call('GET', decided)).toMatchObject({ state: 'answered', proceed: true });
      await node.stop('SIGKILL');
      await proxy.resume();
      proxy.cut();
      node = await startProcess({ WEBSOCKET_PORT: String(port), WEBSOCKET_DATA_DIR: folder, WEBSOCKET_LOG_LEVEL: 'info' });
      await answered;
      await shows(opened, 0);
      expect(await call('GET', decided)).toMatchObject({ state: 'answered', proceed: true, answered_by: 'kill' });
    } finally {
      await node.stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);

  it('renews its token in time and keeps its connection', async () => {
    const secure = await startService({
      environment: {
        ...JWT_SETTINGS,
        WEBSOCKET_ALLOWED_ORIGINS: pages.url,
      },
    });
    try {
      const opened = await context.newPage();
      await opened.goto(pages.url);
      await opened.evaluate((url) => {
        page.states = [];
        page.client = wm.connect(url, { token: async () => (await fetch('/token')).text() });
        page.client.onState(({ status }) => page.states.push(status));
        page.client.onConfirmation(() => ({ proceed: true }));
      }, `${secure.wsUrl}/ws`);
      await connected(opened);
      await new Promise((resolve) => setTimeout(resolve, 4000)); // the first token has ended by then
      const asked = secure.notifications.notifyUser({ message: 'Still here?' }, 'ann', 'token', 1);
      expect(await asked).toMatchObject({ proceed: true, answeredBy: 'ann' });
      expect(tokens).toBeGreaterThan(1);
      expect(await opened.evaluate(() => page.states)).not.toContain('waiting');
    } finally {
      await secure.stop();
    }
  }, 30_000);
});
