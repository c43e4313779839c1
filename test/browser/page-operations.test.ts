/** The view of operations in a real Chromium: an operator sees the nodes, what is open, and a user's devices. */
import { startService } from '../support/service.js';
import { SECRET } from '../support/jwt.js';
import { requireBinary } from '../support/system.js';
import { faultsOf, overflowOf, WebPages } from '../support/web-page.js';

requireBinary('chromium')('the view of operations', () => {
  const pages = new WebPages();

  it('shows the node with its counts as they change, without a fault that axe-core finds', async () => {
    const page = await pages.context.newPage();
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.goto(`${pages.service.url}/#operations`);
    const node = page.getByRole('region', { name: 'Nodes' }).getByRole('row').nth(1);
    await node.waitFor();
    // The page has one of its own.
    const clients = await Promise.all([1, 2, 3].map(() => pages.service.connectAs(pages.user)));
    await node.getByRole('cell', { name: '4', exact: true }).first().waitFor();
    await page.getByRole('img', { name: 'Connections over the last five minutes' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await overflowOf(page)).toBe(0);
    }
    expect(errors).toEqual([]);
    await Promise.all(clients.map((client) => client.close()));
  }, 60_000);

  it('finds an open confirmation by its user, and answers or withdraws it after a second question', async () => {
    const page = await pages.context.newPage();
    const answered = pages.ask('Deploy it?');
    const withdrawn = pages.ask('Drop it?');
    await page.goto(`${pages.service.url}/#operations`);
    await page.getByRole('textbox', { name: 'User' }).first().fill(pages.user);
    await page.getByRole('button', { name: 'Search' }).click();
    const row = (title: string) => page.getByRole('row').filter({ hasText: title });
    await row('Deploy it?').getByRole('button', { name: 'Answer yes' }).click();
    await row('Deploy it?').getByRole('button', { name: 'are you sure?' }).click();
    expect(await answered).toMatchObject({ proceed: true, answeredBy: pages.user, via: 'operations' });
    await page.getByText(`Answered for ${pages.user}.`).waitFor();
    await row('Drop it?').getByRole('button', { name: 'Withdraw' }).click();
    await row('Drop it?').getByRole('button', { name: 'Back' }).click();
    await row('Drop it?').getByRole('button', { name: 'Withdraw' }).click();
    await row('Drop it?').getByRole('button', { name: 'are you sure?' }).click();
    expect(await withdrawn).toMatchObject({ proceed: false, outcome: 'withdrawn' });
  }, 60_000);

  it('lists a user’s devices, and disconnects them', async () => {
    const client = await pages.service.connectAs(pages.user);
    const page = await pages.context.newPage();
    await page.goto(`${pages.service.url}/#operations`);
    await page.getByRole('textbox', { name: 'User' }).last().fill(pages.user);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByRole('region', { name: 'Devices' }).getByRole('cell').first().waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Disconnect and revoke' }).click();
    await page.getByRole('button', { name: `Revoke ${pages.user}: are you sure?` }).click();
    await client.closed();
    await page.getByText('All connections are closed').waitFor();
  }, 60_000);

  it('asks for an API key in secure mode, and shows nothing before', async () => {
    const secure = await startService({
      environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET, WEBSOCKET_API_KEYS: 'key-of-the-operators' },
    });
    try {
      const page = await pages.context.newPage();
      await page.goto(`${secure.url}/#operations`);
      await page.getByText('This view needs an API key').waitFor();
      await page.getByLabel('API key').fill('wrong');
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByText('This view needs an API key').waitFor();
      expect(await page.getByRole('table').count()).toBe(0);
      await page.getByLabel('API key').fill('key-of-the-operators');
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByRole('region', { name: 'Nodes' }).getByRole('row').nth(1).waitFor();
    } finally {
      await secure.stop();
    }
  }, 60_000);
});
