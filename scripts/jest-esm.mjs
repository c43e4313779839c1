/**
 * Jest loads ES modules only under a flag of Node. Imported by jest.config.mjs: where the flag is missing, as in
 * `npx jest`, Jest is started again with it.
 */
import { spawnSync } from 'node:child_process';
import vm from 'node:vm';

const FLAGS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

if (vm.SourceTextModule === undefined) {
  const { status } = spawnSync(process.execPath, [...FLAGS, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${FLAGS.join(' ')}`.trim() },
  });
  process.exit(status ?? 1);
}
