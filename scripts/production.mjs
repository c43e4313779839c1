/**
 * Leaves of an installed checkout what the built service needs to run; for images. package.json is rewritten, so run it
 * where nobody develops.
 *
 * The module's peers are the service's own dependencies, which npm installs for development only. Here they become
 * dependencies, at the versions of package-lock.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, ROOT, run, SetupError } from './tools.mjs';

/** Peers that an application may want and the service never loads; `libsql` is for Node before 22.13. */
const UNUSED = ['@nestjs/testing', ...('sqlite' in process.versions ? ['libsql'] : [])];

await main(import.meta.url, async () => {
  const file = join(ROOT, 'package.json');
  const { devDependencies, peerDependencies, ...manifest } = JSON.parse(readFileSync(file, 'utf8'));
  for (const name of Object.keys(peerDependencies)) {
    if (!UNUSED.includes(name)) manifest.dependencies[name] = devDependencies[name];
  }
  writeFileSync(file, JSON.stringify(manifest, null, 2));
  const { code, output } = await run('npm', ['prune', '--ignore-scripts', '--no-audit', '--no-fund'], { quiet: true });
  if (code !== 0) throw new SetupError(`npm prune: ${output}`);
});
