/**
 * Bundles the page and the element: `src/page/element.ts` and `page.ts` become one file each, with everything that they
 * import. Browsers load them as they are. The element's types are those of `element.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, transform } from 'esbuild';
import ts from 'typescript';
import { ROOT } from './tools.mjs';

const SOURCE = join(ROOT, 'src/page');
/** Bundles that others load when they are first needed, with `import()`. */
const ON_DEMAND = ['operations', 'more'];
/** The file that other packages' types come from, with what its declarations import. */
const TYPED = 'element.ts';
/** `./words.js`, as a declaration imports it. */
const SIBLING = /from '\.\/([\w-]+)\.js'/g;

/** Private names of the element's classes, which are shortened. No other bundle, no document and no message has them. */
const PRIVATE =
  /^(announcer|focused|toNeighbour|toFault|stopSelecting|isReconnecting|drawnAt|drawNow|isScheduled|busyAt|takeAway|allWords|ownWords|onClientGone|stopState)$/;

/** Minifies what stands between the backticks. */
const minifyStyles = {
  name: 'minify styles',
  setup: ({ onLoad }) =>
    onLoad({ filter: /styles\.ts$/ }, async ({ path }) => {
      const [before, css, after] = readFileSync(path, 'utf8').split('`');
      const { code } = await transform(css, { loader: 'css', minify: true, charset: 'utf8' });
      return { contents: `${before}\`${code.trim()}\`${after}`, loader: 'ts' };
    }),
};

/** The element's own client shares no connection among tabs, and loads no snapshots of channels: what does it is left out. */
const withoutUnused = {
  name: 'without what is not used',
  setup: ({ onLoad }) => {
    onLoad({ filter: /client\/(shared-socket|tab-hub)\.ts$/ }, () => ({ contents: 'export {}' }));
    onLoad({ filter: /client\/snapshots\.ts$/ }, () => ({
      contents: 'export const createSnapshots = () => ({ load() {}, hold() {} });',
    }));
  },
};

/** @returns the text of a bundle of `src/page` */
export async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [join(SOURCE, entry)],
    tsconfig: join(ROOT, 'tsconfig.page.json'),
    plugins: [minifyStyles, withoutUnused],
    bundle: true,
    mangleProps: PRIVATE,
    external: ON_DEMAND.map((name) => `./${name}.js`),
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    write: false,
  });
  // Once minified, line breaks are left only in templates, where they are a space.
  return outputFiles[0].text.replaceAll(/\n\s+/g, ' ');
}

/**
 * @param entries the sources that browsers load
 * @param folder where the bundles are written, which exists
 */
export async function bundlePage(entries, folder) {
  for (const entry of entries) writeFileSync(join(folder, entry.replace(/\.ts$/, '.js')), await bundle(entry));
  const typed = new Set([TYPED]);
  // What is added meanwhile is visited too.
  for (const name of typed) {
    const { outputText } = ts.transpileDeclaration(readFileSync(join(SOURCE, name), 'utf8'), {
      fileName: name,
      compilerOptions: { declaration: true, target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext },
    });
    for (const [, sibling] of outputText.matchAll(SIBLING)) typed.add(`${sibling}.ts`);
    writeFileSync(join(folder, name.replace(/\.ts$/, '.d.ts')), outputText);
  }
}
