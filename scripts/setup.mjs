/**
 * Makes a checkout ready to run: installs what package-lock.json names, and compiles, each only when needed.
 *
 *   node scripts/setup.mjs           for the service (dist)
 *   node scripts/setup.mjs --tests   for tests and examples (.build)
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildIfNeeded, projectOf } from './build.mjs';
import { main, ROOT, run, say, SetupError } from './tools.mjs';

const OLDEST_NODE = [20, 19];
const LONGEST_INSTALL_MS = 600_000;

export async function setUp(project) {
  checkNode();
  if (!isInstalled()) await alone(async () => isInstalled() || install());
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

/**
 * Runs while no other process installs in this checkout: two `npm ci` at once remove each other's files. The lock is a file
 * with the id of its process; one whose process has ended, or that is older than an installation can be, does not count.
 */
async function alone(task) {
  const lock = join(ROOT, '.install.lock');
  while (!take(lock)) {
    say('waiting for another installation');
    await delay(1000);
  }
  try {
    await task();
  } finally {
    rmSync(lock, { force: true });
  }
}

function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (isAbandoned(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isAbandoned(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LONGEST_INSTALL_MS) return true;
    const owner = Number(readFileSync(lock, 'utf8'));
    // Its owner may have made it and not written its id yet.
    if (owner > 0) process.kill(owner, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
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
