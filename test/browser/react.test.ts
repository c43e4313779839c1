/** The React hooks in a real Chromium, in StrictMode, and rendered on a server. */
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import type { Browser } from 'playwright-core';
import { NotificationProvider, useConfirmations, useConnectionState } from '../../src/react/index.js';
import { startBrowser } from '../support/browser.js';
import { serveClientPage, type ClientPage } from '../support/client-page.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

const APP = `
import { StrictMode } from 'react';
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
export function start(url) {
  createRoot(document.getElementById('root')).render(
    <StrictMode><NotificationProvider url={url} options={{ userId: 'rea' }}><Inbox /></NotificationProvider></StrictMode>);
}`;

/** What the page has. */
declare const wm: { start(url: string): void };

describe('the hooks', () => {
  it('render on a server as before the first connection, and connect nothing', () => {
    const View = () => `${useConnectionState().status} ${useConfirmations().length}`;
    const html = renderToString(createElement(NotificationProvider, { url: 'ws://127.0.0.1:1/ws' }, createElement(View)));
    expect(html).toBe('connecting 0');
  });
});

requireBinary('chromium')('the hooks in a browser', () => {
  let browser: Browser;
  let service: TestService;
  let pages: ClientPage;
  beforeAll(async () => {
    pages = await serveClientPage(APP);
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
    await page.evaluate((url) => wm.start(url), `${service.wsUrl}/ws`);
    const asked = service.notifications.notifyUser({ message: 'Ship it?' }, 'rea', 'work', 1);
    await page.getByText('Ship it? in time').waitFor();
    expect((await service.rest('GET', '/ws/users/rea')).body).toMatchObject({ connections: 1 });
    await service.notifications.sendToTask('work', { type: 'task_progress', progress: 0.5, message: 'half' });
    await page.getByText('open 0.5').waitFor();
    await page.getByRole('button', { name: 'Yes' }).click();
    expect(await asked).toMatchObject({ proceed: true, answeredBy: 'rea' });
    await page.getByText('Ship it?').waitFor({ state: 'detached' });
    expect(errors).toEqual([]);
    await page.close();
  }, 30_000);
});
