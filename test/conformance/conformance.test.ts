/** The conformance suite: the clients of this repository pass it, and it finds each planted deviation. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from '../support/child-program.js';
import { findBinary, requireBinary } from '../support/system.js';
import { check } from './claims.js';
import { DEVIATIONS } from './deviations.js';
import { Driver } from './driver.js';

const TYPESCRIPT = [process.execPath, fileURLToPath(new URL('typescript-driver.js', import.meta.url))];
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** That of the system, for which `python3-websockets` is installed: the one beside celery. */
const PYTHON = `${dirname(findBinary('celery') ?? '/usr/bin/celery')}/python3`;
/** A client that deviates may take this long to do nothing. */
const SHORT_MS = 2500;

async function problemsOf(
  command: readonly string[],
  environment: Record<string, string> = {},
  claims?: readonly string[],
  patienceMs = 15_000,
): Promise<Record<string, string>> {
  const driver = new Driver(command, environment, patienceMs);
  try {
    return await check(driver, claims);
  } finally {
    await driver.stop();
  }
}

/** A busy machine can make a constant wait look random: a second and a third look are allowed. */
async function isFound(deviation: string, claim: string): Promise<boolean> {
  for (let tries = 0; tries < 3; tries += 1) {
    const problems = await problemsOf(TYPESCRIPT, { CONFORMANCE_DEVIATION: deviation }, [claim], SHORT_MS);
    if (claim in problems) return true;
  }
  return false;
}

describe('the conformance suite', () => {
  it('finds nothing in the TypeScript client', async () => {
    expect(await problemsOf(TYPESCRIPT)).toEqual({});
  });

  it('finds every planted deviation, by the claim that it breaks', async () => {
    const waiting = Object.entries(DEVIATIONS);
    const missed: string[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [name, { claim }] = next;
        if (!(await isFound(name, claim))) missed.push(name);
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    expect(missed).toEqual([]);
    expect(Object.keys(DEVIATIONS).length).toBeGreaterThanOrEqual(20);
  });
});

requireBinary('celery')('the conformance suite', () => {
  it('finds nothing in the Python client, as pip installs it without a network', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'python-client-'));
    try {
      const environment = { PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1' };
      const [source, venv] = [join(folder, 'source'), join(folder, 'venv')];
      // `websockets` and `setuptools` are the system's. pip leaves its build beside the source, so it gets a copy.
      await cp(`${ROOT}clients/python`, source, { recursive: true });
      await Program.run(PYTHON, ['-m', 'venv', '--system-site-packages', venv], environment);
      const install = ['install', '--no-index', '--no-build-isolation', '--quiet', source];
      await Program.run(join(venv, 'bin/pip'), install, environment);
      const python = join(venv, 'bin/python');
      const where = ['-c', 'import websocket_manager.client as client; print(client.__file__)'];
      expect(await Program.run(python, where, environment, folder)).toContain(venv);
      expect(await problemsOf([python, `${ROOT}test/conformance/python_driver.py`], environment)).toEqual({});
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
