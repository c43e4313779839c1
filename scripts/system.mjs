/**
 * Programs beyond npm that tests start. On Debian as root they are installed; elsewhere they are named, and the tests
 * that need them are skipped loudly (test/support/system.ts). Under CI=true a missing one is a failure.
 */
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { run, say, SetupError } from './tools.mjs';

/** Binary, or path -> what to install for it, as Debian names it. */
const NEEDED = {
  nginx: ['nginx-light'],
  'redis-server': ['redis-server'],
  celery: ['celery', 'python3-redis'],
  '/usr/lib/python3/dist-packages/websockets': ['python3-websockets'],
  curl: ['curl'],
  promtool: ['prometheus'],
};
const NEEDED_BY_SUITE = {
  conformance: {
    ...NEEDED,
    '/usr/lib/python3/dist-packages/pip': ['python3-pip'],
    '/usr/lib/python3/dist-packages/setuptools': ['python3-setuptools', 'python3-wheel'],
    '/usr/share/python-wheels': ['python3-venv'],
  },
  browser: { chromium: ['chromium'] },
  soak: { ...NEEDED, chromium: ['chromium'] },
  fault: { ...NEEDED, faketime: ['faketime'], prometheus: ['prometheus'] },
};

const POLICY = '/usr/sbin/policy-rc.d';
const APT = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

/** @param suite the suite that is about to run; `undefined` is that of `npm test` */
export async function installSystemPackages(suite) {
  const needed = NEEDED_BY_SUITE[suite] ?? NEEDED;
  const missing = missingBinaries(needed);
  if (missing.length === 0) return;
  const packages = missing.flatMap((binary) => needed[binary]);
  const canInstall = existsSync('/etc/debian_version') && process.getuid?.() === 0;
  const problem = canInstall ? await aptInstall(packages) : undefined;
  const still = missingBinaries(needed);
  if (still.length === 0) return;
  const hint = `install ${still.map((binary) => `${binary} (Debian: ${needed[binary].join(' ')})`).join(', ')}`;
  if (process.env.CI === 'true')
    throw new SetupError(`the tests need more than npm has: ${hint}${problem ? `; apt-get: ${problem}` : ''}`);
  say(`*** TESTS WILL BE SKIPPED: ${hint} ***${problem ? ` apt-get: ${problem}` : ''}`);
}

function missingBinaries(needed) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return Object.keys(needed).filter(
    (binary) => !existsSync(resolve('/nowhere', binary)) && !folders.some((folder) => isExecutable(join(folder, binary))),
  );
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @returns what went wrong, if anything */
async function aptInstall(packages) {
  say(`installing ${packages.join(', ')} (apt-get)`);
  // Debian starts a service as soon as it is installed, unless this says no.
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
      const { code, output } = await run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], { quiet: true, env: APT });
      if (code !== 0) return output.split('\n').find((line) => line.startsWith('E:')) ?? `exit code ${code}`;
    }
    return undefined;
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
  }
}
