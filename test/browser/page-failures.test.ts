/** The web page while the connection, the server or the network fails. */
import { startProcess } from '../support/process.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { card, WebPages, yes } from '../support/web-page.js';

requireBinary('chromium')('the page, when something fails', () => {
  const pages = new WebPages();

  it('keeps a card while the connection is away, sends the answer afterwards, and says what had been decided before', async () => {
    const proxy = await TcpProxy.start({ port: pages.service.port });
    const page = await pages.open(`http://127.0.0.1:${proxy.port}`);
    const first = pages.ask('First?');
    const second = pages.ask('Second?');
    await card(page, 'Second?').waitFor();
    await proxy.refuse();
    proxy.cut();
    await page.getByText('Not connected.').waitFor();
    const { body } = await pages.service.rest('GET', `/ws/users/${pages.user}/confirmations`);
    const [confirmation] = (
      body as unknown as { confirmations: { callback_id: string; message: string }[] }
    ).confirmations.filter(({ message }) => message === 'Second?');
    await pages.service.rest('POST', `/ws/confirmations/${confirmation!.callback_id}/answer`, { proceed: false });
    await card(page, 'First?').getByRole('button', { name: 'Yes' }).click();
    await card(page, 'Second?').getByRole('button', { name: 'Yes' }).click();
    await page.getByText('Your answer is sent once the connection is back.').first().waitFor();
    await proxy.resume();
    const decided = await Promise.all([first, second]);
    expect(decided.map((one) => (one as { proceed: boolean }).proceed).sort()).toEqual([false, true]);
    await page.getByText('Your answer did not count.').waitFor();
    await proxy.close();
  }, 60_000);

  it('survives the death of the server with a card open, and answers the server that follows', async () => {
    const one = await startProcess({ WEBSOCKET_DATA_DIR: pages.service.dataDir + '/killed' });
    let two: Awaited<ReturnType<typeof startProcess>> | undefined;
    try {
      const page = await pages.open(one.url);
      const question = { user_id: pages.user, task_id: 'survivor', step: 1, step_result: { message: 'Still there?' } };
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
      two = await startProcess({ WEBSOCKET_DATA_DIR: pages.service.dataDir + '/killed', WEBSOCKET_PORT: String(one.port) });
      await card(page, 'Still there?').getByText('by you').waitFor();
      const state = await fetch(`${two.url}/ws/confirmations/${id}`);
      expect(await state.json()).toMatchObject({ state: 'answered', proceed: true, answered_by: pages.user });
    } finally {
      await one.stop('SIGKILL');
      await two?.stop();
    }
  }, 60_000);

  it('counts an answer once when the server is killed while it is on its way', async () => {
    const dataDir = `${pages.service.dataDir}/in-flight`;
    const one = await startProcess({ WEBSOCKET_DATA_DIR: dataDir });
    let two: Awaited<ReturnType<typeof startProcess>> | undefined;
    const proxy = await TcpProxy.start({ port: one.port });
    try {
      const page = await pages.open(`http://127.0.0.1:${proxy.port}`);
      const asked = await fetch(`${one.url}/ws/confirmations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user_id: pages.user, task_id: 'in-flight', step: 1, step_result: { message: 'Once?' } }),
      });
      const { callback_id: id } = (await asked.json()) as { callback_id: string };
      await card(page, 'Once?').waitFor();
      // The answer arrives and is stored; its reply does not come back.
      proxy.blackHole(['down']);
      await yes(page).click();
      await page.getByText('Sending your answer…').waitFor();
      const state = await fetch(`${one.url}/ws/confirmations/${id}?wait=10`);
      expect(await state.json()).toMatchObject({ state: 'answered', proceed: true });
      await one.stop('SIGKILL');
      proxy.cut();
      await proxy.resume();
      two = await startProcess({ WEBSOCKET_DATA_DIR: dataDir, WEBSOCKET_PORT: String(one.port) });
      await card(page, 'Once?').getByText('by you').waitFor();
      expect(await page.getByText('Your answer did not count.').count()).toBe(0);
    } finally {
      await one.stop('SIGKILL');
      await two?.stop();
      await proxy.close();
    }
  }, 60_000);

  it('opens without the service once it has been there, is installable, and connects when the service is back', async () => {
    const proxy = await TcpProxy.start({ port: pages.service.port });
    const page = await pages.open(`http://127.0.0.1:${proxy.port}`);
    await page.evaluate('navigator.serviceWorker.ready.then(() => true)');
    const session = await pages.context.newCDPSession(page);
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    // A test's browser context is incognito.
    expect(installabilityErrors.map(({ errorId }) => errorId).filter((error) => error !== 'in-incognito')).toEqual([]);
    await proxy.refuse();
    proxy.cut();
    await page.reload();
    await page.getByText('Not connected.').waitFor();
    await page.getByRole('button', { name: 'Your tasks' }).click();
    await page.getByText('No task of yours is running.').waitFor();
    await page.getByRole('button', { name: 'Waiting for you' }).click();
    pages.leave('Are you back?');
    await proxy.resume();
    await card(page, 'Are you back?').waitFor();
    await proxy.close();
  }, 60_000);
});
