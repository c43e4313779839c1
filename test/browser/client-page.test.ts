/** `docs/client.md`, run as written, in a browser. */
import { startBrowser } from '../support/browser.js';
import { ALIAS, documentedModule } from '../support/client-page-source.js';
import { serveClientPage } from '../support/client-page.js';
import { startService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

declare const wm: { run(application: object): Promise<unknown> };
declare const page: { rendered: unknown[] };

requireBinary('chromium')('the page of the client library', () => {
  it('answers and receives in a browser as it says', async () => {
    const service = await startService();
    const pages = await serveClientPage(documentedModule(), {}, ALIAS);
    const browser = await startBrowser([]);
    try {
      const opened = await browser.newPage();
      await opened.goto(pages.url);
      await opened.evaluate((url) => {
        page.rendered = [];
        void wm.run({ url, render: (value: unknown) => page.rendered.push(value), loadOrders: async () => 'orders' });
      }, `${service.wsUrl}/ws`);
      const options = { risk: 'irreversible', onTimeout: 'abort' } as const;
      const asked = await service.notifications.notifyUser({ message: 'Drop it?' }, 'ann', 'page', 1, options);
      expect(asked).toMatchObject({ proceed: true, feedback: 'Go ahead' });
      await opened.waitForFunction(() => page.rendered.includes('orders'));
      await service.notifications.sendToUser('ann', { type: 'greeting', text: 'hello' });
      await opened.waitForFunction(() => page.rendered.includes('hello'));
    } finally {
      await browser.close();
      await pages.stop();
      await service.stop();
    }
  }, 60_000);
});
