/** `docs/client.md`, run as written, in Node. `test/browser/client-page.test.ts` runs it in a browser. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import type { NotificationClient } from '../../src/client/index.js';
import { CheckedSocket } from '../support/checked-socket.js';
import { ALIAS, documentedModule } from '../support/client-page-source.js';
import { startService, type TestService } from '../support/service.js';

interface Documented {
  run(application: {
    url: string;
    render(value: unknown): void;
    loadOrders(): Promise<string>;
  }): Promise<{ client: NotificationClient; stop(): void; leave(): void }>;
}

describe('the page of the client library', () => {
  let service: TestService;
  let folder: string;
  beforeAll(async () => {
    service = await startService();
    folder = await mkdtemp(join('.build', 'client-page-'));
  });
  afterAll(async () => {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('answers, shows, receives and reports its state as it says', async () => {
    const outfile = resolve(folder, 'page.mjs');
    await build({
      stdin: { contents: documentedModule(), resolveDir: process.cwd() },
      bundle: true,
      format: 'esm',
      outfile,
      alias: ALIAS,
    });
    const { run } = (await import(outfile)) as Documented;
    const rendered: unknown[] = [];
    let onRender: () => void = () => undefined;
    const renders = async (wanted: unknown): Promise<void> => {
      while (!rendered.some((one) => JSON.stringify(one) === JSON.stringify(wanted)))
        await new Promise<void>((done) => (onRender = done));
    };
    Object.assign(globalThis, { WebSocket: CheckedSocket }); // Node 20 has none
    const asked = service.notifications.notifyUser({ message: 'Drop the table?' }, 'ann', 'page', 1, {
      risk: 'irreversible',
      onTimeout: 'abort',
    });
    const { client } = await run({
      url: `${service.wsUrl}/ws`,
      render: (value) => {
        rendered.push(value);
        onRender();
      },
      loadOrders: async () => 'orders',
    });
    try {
      expect(await asked).toMatchObject({ proceed: true, feedback: 'Go ahead' });
      const deployed = await service.notifications.notifyUser({ message: 'Deploy?' }, 'ann', 'page', 2);
      expect(deployed).toMatchObject({ proceed: true });
      await renders('orders');
      await service.notifications.sendToUser('ann', { type: 'greeting', text: 'hello' });
      await renders('hello');
      await service.notifications.sendToTask('build-42', { type: 'task_progress', progress: 0.5, message: 'half' });
      await renders('task_progress 0.5');
      expect(rendered).toContain('open');
    } finally {
      client.close();
    }
    await renders('closed');
  });
});
