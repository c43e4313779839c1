/** Programs beyond npm that tests start. `npm test` installs them where it can; the table is in scripts/system.mjs. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The program's path, looked for where Debian keeps servers, too. */
export function findBinary(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * `describe` for tests that start a program, `describe.skip` with a loud warning where it is missing.
 * @throws under `CI=true`, where a skipped test is a failure
 */
export function requireBinary(name: string): jest.Describe {
  if (findBinary(name) !== undefined) return describe;
  const message = `${name} is not installed: see what \`npm test\` says about it`;
  if (process.env.CI === 'true') throw new Error(message);
  console.warn(`*** TESTS ARE SKIPPED: ${message} ***`);
  return describe.skip;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
