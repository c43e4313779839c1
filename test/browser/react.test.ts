/** The React hooks in a real Chromium, in StrictMode, and rendered on a server. */
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import type { Browser } from 'playwright-core';
import { NotificationProvider, useConfirmation, useConfirmations, useConnectionState, useTask } from '../../src/react/index.js';
import { startBrowser } from '../support/browser.js';
import { ScriptedServer } from '../support/scripted-server.js';
import { serveClientPage, type ClientPage } from '../support/client-page.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

const APP = `
import { StrictMode, version } from 'react';
import { createRoot } from 'react-dom/client';
import { NotificationProvider, useConfirmation, useConfirmations, useConnectionState, useTask } from './src/react/index.ts';

function Prompt({ id }) {
  const { confirmation, remainingMs, answer } = useConfirmation(id);
  if (!confirmation) return null;
  return <p>{confirmation.message} {remainingMs > 200000 ? 'in time' : 'late'} <button onClick={() => answer({ proceed: true })}>Yes</button></p>;
}
function Inbox() {
  const { progress } = useTask('work');
  return <><h1>{useConnectionState().status} {String(progress)}</h1>{useConfirmations().map((one) => <Prompt key={one.callback_id} id={one.callback_id} />)}</>;
}
export const major = Number(version.split('.')[0]);
export function start(url, onError) {
  createRoot(document.getElementById('root')).render(
    <StrictMode><NotificationProvider url={url} options={{ userId: 'rea', onError }}><Inbox /></NotificationProvider></StrictMode>);
}`;

/** What the page has. */
declare const wm: { major: number; start(url: string, onError?: (error: Error) => void): void };

describe('the hooks', () => {
  it('render on a server as before the first connection, and connect nothing', () => {
    const View = () => `${useConnectionState().status} ${useConfirmations().length}`;
    const html = renderToString(createElement(NotificationProvider, { url: 'ws://127.0.0.1:1/ws' }, createElement(View)));
    expect(html).toBe('connecting 0');
  });

  it('reject what is to be sent while there is no client', async () => {
    const sent: Promise<void>[] = [];
    const View = () => {
      const { answer, dismiss } = useConfirmation('p1');
      sent.push(answer({ proceed: true }), dismiss(), useTask('task').cancel());
      return '';
    };
    renderToString(createElement(View));
    for (const one of sent) await expect(one).rejects.toThrow('NotificationProvider');
    expect(sent).toHaveLength(3);
  });
});

const VERSIONS: [number, Record<string, string>][] = [
  [19, {}],
  [18, { react: 'react18', 'react-dom': 'react-dom18' }],
];

requireBinary('chromium').each(VERSIONS)('the hooks of React %i in a browser', (major, alias) => {
  let browser: Browser;
  let service: TestService;
  let pages: ClientPage;
  beforeAll(async () => {
    pages = await serveClientPage(APP, {}, alias);
    service = await startService();
    browser = await startBrowser([]);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await pages.stop();
    await service.stop();
  });

  it('show what is asked, answer it, follow a task, and keep one connection in StrictMode', async () => {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.goto(pages.url);
    expect(await page.evaluate(() => wm.major)).toBe(major);
    await page.evaluate((url) => wm.start(url), `${service.wsUrl}/ws`);
    const asked = service.notifications.notifyUser({ message: 'Ship it?' }, 'rea', 'work', 1);
    await page.getByText('Ship it? in time').waitFor();
    // The prompt may be shown before the service has handled the subscription.
    const connections = async (): Promise<unknown> => (await service.rest('GET', '/ws/users/rea')).body['connections'];
    let found = await connections();
    while (found === 0) found = await connections();
    expect(found).toBe(1);
    await service.notifications.sendToTask('work', { type: 'task_progress', progress: 0.5, message: 'half' });
    await page.getByText('open 0.5').waitFor();
    await page.getByRole('button', { name: 'Yes' }).click();
    expect(await asked).toMatchObject({ proceed: true, answeredBy: 'rea' });
    await page.getByText('Ship it?').waitFor({ state: 'detached' });
    expect(errors).toEqual([]);
    await page.close();
  }, 30_000);

  it('report a refused `seen` as an error of the client', async () => {
    const server = await ScriptedServer.start();
    const page = await browser.newPage();
    await page.goto(pages.url);
    const reported = page.waitForEvent('console', (message) => message.text().startsWith('reported'));
    await page.evaluate((url) => wm.start(url, ({ message }) => console.log(`reported ${message}`)), server.url);
    // StrictMode mounts twice: the first connection may be the one that is given up.
    const refuse = async (): Promise<void> => {
      const connection = await server.next();
      void refuse();
      await connection.welcome();
      connection.prompt('p1', { user_id: 'rea' });
      connection.reply(await connection.next('seen'), { type: 'error', code: 'FORBIDDEN', message: 'not yours' });
    };
    void refuse();
    expect((await reported).text()).toBe('reported not yours');
    await page.close();
    await server.stop();
  }, 30_000);
});
