/** The code of `docs/client.md` as one module, which exports `run`. */
import { readFileSync } from 'node:fs';

export const ALIAS = { 'websocket-manager/client': './src/client/index.ts', 'websocket-manager/react': './src/react/index.ts' };

/** Blocks marked `run` share one scope, as they do for a reader; `url`, `render` and `loadOrders` are the application's. */
export function documentedModule(): string {
  const page = readFileSync('docs/client.md', 'utf8');
  const blocks = [...page.matchAll(/^```js run\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code).join('\n');
  const imports = blocks.match(/^import .*$/gm) ?? [];
  const body = blocks.replace(/^import .*$/gm, '');
  return [
    ...imports,
    `export async function run({ url, render, loadOrders }) {\n${body}\n`,
    'return { client, stop, leave }; }',
  ].join('\n');
}
