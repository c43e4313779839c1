/**
 * Compiles with `tsc`, bundles the web page with esbuild, copies what is no TypeScript (scripts for Redis, test data) beside
 * the result, and makes the API's documents from it.
 *
 *   node scripts/build.mjs           src -> dist
 *   node scripts/build.mjs --tests   src, test, examples -> .build
 *
 * `buildIfNeeded` is for the commands that set up by themselves: it compiles only when a source is newer than the last
 * successful build, or when something of that build is missing. The compiler's whole output is for developers; who only
 * starts the service gets one line.
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { copyMarkdownPages } from './markdown-pages.mjs';
import { main, ROOT, run, say, SetupError } from './tools.mjs';

const PROJECTS = {
  service: { config: 'tsconfig.build.json', out: 'dist', base: 'src', sources: ['src'] },
  tests: {
    config: 'tsconfig.json',
    out: '.build',
    base: '.',
    sources: ['src', 'test', 'examples'],
    validators: '.build/test/support/frame-validators.js',
  },
};
const CONFIGURATION = [
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.page.json',
  'scripts/bundle-page.mjs',
  'scripts/api-documents.mjs',
  'scripts/asyncapi.mjs',
  'scripts/frame-validators.mjs',
  'scripts/openapi.mjs',
  'scripts/protocol-schemas.mjs',
  'scripts/docs-page.mjs',
  'node_modules/.package-lock.json',
];
/** Its files are no modules of the server: they are bundled, one bundle for each of `BUNDLES`. */
const PAGE = 'src/page';
/** Applications of their own, which compile themselves. */
const APPS = join(ROOT, 'examples/apps/');
const BUNDLES = ['element.ts', 'page.ts', 'operations.ts', 'more.ts', 'offline.ts'];
const EMITTED = /(\.d)?\.ts$|\.js(\.map)?$|\.lua$/;

export const projectOf = (args) => (args.includes('--tests') ? 'tests' : 'service');

export async function build(name, { verbose }) {
  const project = PROJECTS[name];
  const started = new Date();
  const sources = sourcesOf(project);
  removeOrphans(project, sources);
  if (sources.some(({ output }) => !modified(output))) rmSync(join(ROOT, project.out, '.tsbuildinfo'), { force: true });
  const { code, output } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project.config], {
    quiet: true,
  });
  if (code !== 0) {
    if (verbose) process.stderr.write(output);
    const [first, ...more] = output.split('\n').filter((line) => line.includes('error TS'));
    throw new SetupError(
      `the source does not compile: ${first ?? `tsc ended with ${code}`}${more.length ? ` (and ${more.length} more)` : ''}`,
    );
  }
  for (const { file, output: copy, isCode } of sources) {
    if (isCode || modified(copy) >= modified(file)) continue;
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file, copy);
  }
  // Loaded here and not above: it needs esbuild, and setup.mjs runs before anything is installed.
  const { bundlePage } = await import('./bundle-page.mjs');
  await bundlePage(BUNDLES, join(ROOT, serviceIn(project), 'page'));
  await makeApiDocuments(project);
  copyMarkdownPages(documentsOf(project));
  const stamp = stampOf(project);
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}

/** In a process of its own: it loads the service. */
async function makeApiDocuments(project) {
  const { validators = [] } = project;
  const script = ['scripts/api-documents.mjs', serviceIn(project)].concat(validators);
  const { code, output } = await run(process.execPath, script, { quiet: true });
  if (code !== 0) throw new SetupError(`the API documents cannot be made: ${output}`);
}

export async function buildIfNeeded(name) {
  const project = PROJECTS[name];
  const sources = sourcesOf(project);
  const built = modified(stampOf(project));
  const inputs = [...sources.map(({ file }) => file), ...CONFIGURATION.map((path) => join(ROOT, path))];
  const outputs = [...sources.map(({ output }) => output), join(documentsOf(project), 'index.html')];
  const fresh = inputs.every((file) => modified(file) <= built) && outputs.every(modified);
  if (fresh) {
    // A changed page needs no compiler.
    copyMarkdownPages(documentsOf(project));
    return removeOrphans(project, sources);
  }
  say('compiling');
  await build(name, { verbose: name === 'tests' });
}

/** Where the service is in what was built. */
const serviceIn = ({ out, base }) => join(out, relative(base, 'src'));
const documentsOf = (project) => join(ROOT, serviceIn(project), 'docs');
const stampOf = ({ out }) => join(ROOT, out, '.built');
const modified = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function sourcesOf({ out, base, sources }) {
  return sources
    .flatMap((folder) => filesIn(join(ROOT, folder)))
    .filter((file) => !file.endsWith('.d.ts') && !file.startsWith(APPS))
    .map((file) => {
      const isCode = file.endsWith('.ts');
      const output = join(ROOT, out, relative(join(ROOT, base), file));
      return {
        file,
        isCode,
        output: isCode && isBundled(file) ? join(dirname(output), 'page.js') : output.replace(/\.ts$/, '.js'),
      };
    });
}

/** Whether a source is part of a bundle. `page.js` stands for all of them; only some have declarations of their own. */
const isBundled = (file) => dirname(file) === join(ROOT, PAGE) && !BUNDLES.includes(basename(file));

/** What was emitted for a source that is gone would still be run, a deleted test for example. */
function removeOrphans({ out, validators = '' }, sources) {
  const declarations = sources.map(({ file, output }) => join(dirname(output), basename(file).replace(/\.ts$/, '.js')));
  const wanted = new Set([...sources.map(({ output }) => output), ...declarations, join(ROOT, validators)]);
  for (const file of filesIn(join(ROOT, out))) {
    if (EMITTED.test(file) && !wanted.has(file.replace(EMITTED, '.js')) && !wanted.has(file)) rmSync(file);
  }
}

function filesIn(folder) {
  if (!modified(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

await main(import.meta.url, (args) => build(projectOf(args), { verbose: true }));
