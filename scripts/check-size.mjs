/**
 * Measures what a page loads of the client library: bundled and minified by esbuild, compressed by gzip. README.md and
 * docs/client.md name the same figures.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { bundle } from './bundle-page.mjs';
import { main, ROOT } from './tools.mjs';

const CLIENT =
  'export { connect, AlreadyResolvedError, ClientClosedError, ServerError, TooManyRequestsError } from "./src/client/index.ts";';
/** Each part beside what it is loaded with. `lazy` counts what a browser loads only when it shares a connection. */
const PARTS = [
  { name: 'the client', limit: 6, source: CLIENT },
  { name: 'sharing among tabs', limit: 1.8, source: CLIENT, lazy: true },
  { name: 'forms', limit: 1.8, source: `${CLIENT} export { checkAnswer } from "./src/client/index.ts";`, beside: CLIENT },
  { name: 'React hooks', limit: 1.5, source: `${CLIENT} export * from "./src/react/index.ts";`, beside: CLIENT },
  { name: 'the element', limit: 20, entry: 'element.ts' },
  { name: 'what it loads on demand', limit: 6, entry: 'more.ts' },
];

/** Bytes of the files of a bundle that are loaded at once, or of the others. */
async function sizeOf(source, lazy = false) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    minify: true,
    splitting: true,
    metafile: true,
    format: 'esm',
    outdir: join(ROOT, '.build/size'),
    write: false,
    external: ['react'],
  });
  const outputs = Object.entries(metafile.outputs);
  const atOnce = new Set(['stdin.js']);
  for (const [path, { imports }] of outputs)
    if (path.endsWith('/stdin.js'))
      for (const { path: chunk, kind } of imports) if (kind === 'import-statement') atOnce.add(chunk.split('/').at(-1));
  return outputFiles
    .filter(({ path }) => atOnce.has(path.split('/').at(-1)) !== lazy)
    .reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

await main(import.meta.url, async () => {
  const pages = ['README.md', 'docs/client.md']
    .map((page) => readFileSync(join(ROOT, page), 'utf8').replaceAll(/\s+/g, ' '))
    .join(' ');
  let failed = false;
  for (const { name, limit, source, beside, lazy, entry } of PARTS) {
    const size = entry ? gzipSync(await bundle(entry), { level: 9 }).length : await sizeOf(source, lazy);
    const kb = (size - (beside ? await sizeOf(beside) : 0)) / 1024;
    const figure = `${name} ${kb.toFixed(1)} KB`;
    const problems = [
      kb > limit && `more than ${limit} KB`,
      !pages.includes(figure) && `README.md and docs/client.md do not say "${figure}"`,
    ].filter(Boolean);
    failed ||= problems.length > 0;
    process.stdout.write(`${name}: ${kb.toFixed(2)} KB${problems.map((problem) => `: ${problem}`).join('')}\n`);
  }
  return failed ? 1 : 0;
});
