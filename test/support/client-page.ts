/** A page that has the client library and the React hooks, bundled as an application would bundle them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';

const HTML =
  '<!doctype html><meta charset="utf-8"><title>Client</title><main id="root"></main><script>page = globalThis</script><script src="/bundle.js"></script>';

export interface ClientPage {
  url: string;
  stop(): Promise<void>;
}

/**
 * @param source TypeScript whose exports the page has as `globalThis.wm`
 * @param routes what else the page's server answers, by path
 */
export async function serveClientPage(
  source: string,
  routes: Record<string, () => Promise<string>> = {},
  alias: Record<string, string> = {},
): Promise<ClientPage> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: process.cwd(), loader: 'tsx' },
    bundle: true,
    format: 'iife',
    globalName: 'wm',
    define: { 'process.env.NODE_ENV': '"development"' },
    jsx: 'automatic',
    write: false,
    alias,
    logLevel: 'silent',
  });
  const bundle = outputFiles[0]?.text ?? '';
  const answer = async ({ url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const route = routes[url];
    if (url === '/bundle.js') response.setHeader('Content-Type', 'text/javascript').end(bundle);
    else if (route) response.end(await route());
    else response.setHeader('Content-Type', 'text/html').end(HTML);
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
