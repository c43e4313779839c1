/**
 * Sets up whatever the tests need, runs them, and closes with one line that people and CI read.
 *
 *   node scripts/test.mjs [--suite=soak|fault] [jest arguments…]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp } from './setup.mjs';
import { installSystemPackages } from './system.mjs';
import { main, run } from './tools.mjs';

/** Suites that `npm test` leaves out (jest.config.mjs) because they take long. */
const suiteArguments = (suite) => [`--testMatch=**/${suite}/**/*.test.js`, '--testPathIgnorePatterns=/node_modules/'];

await main(import.meta.url, async (args) => {
  await setUp('tests');
  await installSystemPackages();
  const suite = args.find((arg) => arg.startsWith('--suite='))?.slice('--suite='.length);
  // Jest sees what the compiler emitted; people name what they wrote.
  const given = args.filter((arg) => !arg.startsWith('--suite=')).map((arg) => arg.replace(/\.test\.ts$/, '.test.js'));
  const folder = mkdtempSync(join(tmpdir(), 'websocket-manager-test-'));
  try {
    const report = join(folder, 'report.json');
    const env = {
      ...process.env,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim(),
    };
    const jest = [
      'node_modules/jest/bin/jest.js',
      '--json',
      `--outputFile=${report}`,
      ...(suite ? suiteArguments(suite) : []),
      ...given,
    ];
    const { code } = await run(process.execPath, jest, { env });
    const { passed, failed, skipped } = readCounts(report);
    // With arguments it is the caller who leaves tests out.
    const skippedInCi = process.env.CI === 'true' && skipped > 0 && given.length === 0;
    if (skippedInCi) process.stderr.write('CI=true: a skipped test is a failure\n');
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    return code === 0 && skippedInCi ? 1 : code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

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
