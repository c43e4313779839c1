/**
 * Sets up whatever the tests need, runs them, and closes with one line that people and CI read.
 *
 *   node scripts/test.mjs [--suite=soak|fault|browser] [jest arguments…]
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setUp } from './setup.mjs';
import { installSystemPackages } from './system.mjs';
import { main, run } from './tools.mjs';

/** Suites that `npm test` leaves out (jest.config.mjs) because they take long. They measure, so one file runs at a time. */
const suiteArguments = (suite) => [
  `--testMatch=**/${suite}/**/*.test.ts`,
  '--testPathIgnorePatterns=/node_modules/',
  '--runInBand',
  // A browser that was cut off may keep a handle open after all tests have ended.
  ...(suite === 'browser' ? ['--forceExit'] : []),
];

/** A process that ends with its parent, esbuild's for example, takes a moment. */
const GRACE_MS = 3000;

await main(import.meta.url, async (args) => {
  await setUp('tests');
  const suite = args.find((arg) => arg.startsWith('--suite='))?.slice('--suite='.length);
  await installSystemPackages(suite);
  const given = args.filter((arg) => !arg.startsWith('--suite='));
  const folder = mkdtempSync(join(tmpdir(), 'websocket-manager-test-'));
  try {
    const report = join(folder, 'report.json');
    const env = {
      ...process.env,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim(),
    };
    // What was given comes first: jest would take a path behind an option of several values for one more of them.
    const jest = [
      'node_modules/jest/bin/jest.js',
      ...given,
      '--json',
      `--outputFile=${report}`,
      ...(suite ? suiteArguments(suite) : []),
    ];
    const inCi = process.env.CI === 'true';
    const { code, pid } = await run(process.execPath, jest, { env, session: inCi });
    const { passed, failed, skipped } = readCounts(report);
    const complaints = inCi ? (await leftBehind(pid)).map((command) => `a test left a process behind: ${command}`) : [];
    // With arguments it is the caller who leaves tests out.
    if (inCi && skipped > 0 && given.length === 0) complaints.push('CI=true: a skipped test is a failure');
    for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    return code || (complaints.length > 0 ? 1 : 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** The processes of a session that are still there after `GRACE_MS`, each of which is ended. */
async function leftBehind(session) {
  const end = Date.now() + GRACE_MS;
  while (processesOf(session).length > 0 && Date.now() < end) await delay(100);
  return processesOf(session).flatMap(({ pid, command }) => {
    try {
      process.kill(pid, 'SIGKILL');
      return [command];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

function processesOf(session) {
  if (!existsSync('/proc/self/stat')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        // pid (name) state parent group session …
        const [state, , , its] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        if (Number(its) !== session || state === 'Z') return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(pid), command }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

function readCounts(report) {
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    return {
      passed: result.numPassedTests,
      // A file that cannot be loaded counts no test of its own.
      failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}
