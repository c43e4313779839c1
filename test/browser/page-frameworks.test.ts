/** `examples/element`: the element in React 19, Vue and Svelte, built as an application builds it, in a real Chromium. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build, type OutputFile, type Plugin } from 'esbuild';
import { requireBinary } from '../support/system.js';
import { WebPages, yes } from '../support/web-page.js';

const FOLDER = resolve('examples/element');

const svelte: Plugin = {
  name: 'svelte',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { compile } = createRequire(join(FOLDER, 'package.json'))('svelte/compiler') as {
        compile(source: string, options: { filename: string }): { js: { code: string } };
      };
      return { contents: compile(await readFile(path, 'utf8'), { filename: path }).js.code, loader: 'js' };
    }),
};

requireBinary('chromium')('the element in a framework', () => {
  const pages = new WebPages();
  let server: Server;
  let files: OutputFile[] = [];

  beforeAll(async () => {
    if (!existsSync(join(FOLDER, 'node_modules')))
      await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: FOLDER });
    server = createServer(({ url = '/' }, response) => {
      const file = files.find(({ path }) => path.endsWith(url));
      if (file) response.setHeader('Content-Type', 'text/javascript').end(file.contents);
      else
        response
          .setHeader('Content-Type', 'text/html')
          .end(
            `<!doctype html><div id="app" data-url="${pages.service.wsUrl}/ws"></div><script type="module" src="${url}.js"></script>`,
          );
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  }, 120_000);
  afterAll(() => void server.close());

  it.each([
    ['React 19', 'react.jsx'],
    ['Vue', 'vue.js'],
    ['Svelte', 'svelte.js'],
  ])(
    'takes an answer, and emits the decision to %s',
    async (_framework, entry) => {
      ({ outputFiles: files } = await build({
        entryPoints: [join(FOLDER, entry)],
        alias: { 'websocket-manager/element': resolve('.build/src/page/element.js') },
        plugins: [svelte],
        bundle: true,
        splitting: true,
        minify: true,
        format: 'esm',
        jsx: 'automatic',
        conditions: ['browser'],
        define: { 'process.env.NODE_ENV': '"production"' },
        outdir: '.build/frameworks',
        write: false,
      }));
      const page = await pages.context.newPage();
      const errors: string[] = [];
      page.on('pageerror', ({ message }) => errors.push(message));
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${entry.replace(/\.\w+$/, '')}`);
      pages.user = 'ann';
      const answered = pages.ask(`From ${entry}?`);
      await yes(page).click();
      expect(await answered).toMatchObject({ proceed: true, answeredBy: 'ann' });
      await page.getByText('Last decided: answered').waitFor();
      expect(errors).toEqual([]);
    },
    60_000,
  );
});
