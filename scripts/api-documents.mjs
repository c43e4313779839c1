/**
 * Makes what is served at `/docs` from the compiled service and the protocol's types: the OpenAPI and the AsyncAPI document,
 * and the page that shows both.
 *
 *   node scripts/api-documents.mjs dist
 *
 * The folder is the compiled service; the result is in its folder `docs`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { docsPage } from './docs-page.mjs';
import { openApi } from './openapi.mjs';
import { main, ROOT } from './tools.mjs';

await main(import.meta.url, async ([folder]) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const documents = { openapi: await openApi(folder, version) };
  const target = join(ROOT, folder, 'docs');
  mkdirSync(target, { recursive: true });
  for (const [name, document] of Object.entries(documents))
    writeFileSync(join(target, `${name}.json`), `${JSON.stringify(document, null, 1)}\n`);
  writeFileSync(join(target, 'index.html'), docsPage(documents));
});
