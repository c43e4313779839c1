/** The figures in the documents are those of bench/claims.json. Nothing is measured here. */
import { spawnSync } from 'node:child_process';

it('the documents and the picture of the benchmarks agree with bench/claims.json', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['bench/documents.mjs'], { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toBe('');
});
