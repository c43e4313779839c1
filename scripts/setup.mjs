/**
 * Makes a checkout ready to run: installs what package-lock.json names, and compiles, each only when needed.
 *
 *   node scripts/setup.mjs           for the service (dist)
 *   node scripts/setup.mjs --tests   for tests and examples (.build)
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildIfNeeded, projectOf } from './build.mjs';
import { main, ROOT, run, say, SetupError } from './tools.mjs';

const OLDEST_NODE = [20, 19];

export async function setUp(project) {
  checkNode();
  if (!isInstalled()) await install();
  await buildIfNeeded(project);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new SetupError(`Node ${process.versions.node} is too old, this needs ${OLDEST_NODE.join('.')} or newer`);
}

/**
 * Compares what npm installed (node_modules/.package-lock.json) with what is to be installed, by content: times say
 * nothing after a `git checkout`. Optional packages belong to other platforms and may be missing.
 */
function isInstalled() {
  const wanted = packagesIn('package-lock.json');
  if (!wanted) throw new SetupError('package-lock.json is missing or unreadable');
  const installed = packagesIn('node_modules/.package-lock.json');
  return (
    installed !== undefined &&
    Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || (installed[path] ? installed[path].version === version : optional),
    )
  );
}

function packagesIn(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

async function install() {
  say('installing packages (npm ci)');
  // No package needs its install script; some would phone home.
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const { code, output } = npm?.endsWith('.js')
    ? await run(process.execPath, [npm, ...args], { quiet: true })
    : await run('npm', args, { quiet: true });
  if (code === 0) return;
  const [reason] = output
    .split('\n')
    .map((line) => line.replace(/^npm error/, '').trim())
    .filter((line) => line !== '' && !/^(code|errno|syscall|path|A complete log) /.test(line));
  throw new SetupError(`npm ci: ${reason ?? `exit code ${code}`}`);
}

await main(import.meta.url, (args) => setUp(projectOf(args)));
