/**
 * Makes what is served at `/docs` from the compiled service and the protocol's types: the OpenAPI and the AsyncAPI document,
 * and the page that shows both.
 *
 *   node scripts/api-documents.mjs <the compiled service> [<the tests' validators of frames>]
 *
 * The result is in the folder `docs` of the service.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncApi } from './asyncapi.mjs';
import { docsPage } from './docs-page.mjs';
import { frameValidators } from './frame-validators.mjs';
import { openApi } from './openapi.mjs';
import { main, ROOT } from './tools.mjs';

await main(import.meta.url, async ([folder, tests]) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const documents = { openapi: await openApi(folder, version), asyncapi: asyncApi(version) };
  const target = join(ROOT, folder, 'docs');
  mkdirSync(target, { recursive: true });
  for (const [name, document] of Object.entries(documents))
    writeFileSync(join(target, `${name}.json`), `${JSON.stringify(document, null, 1)}\n`);
  writeFileSync(join(target, 'index.html'), docsPage(documents));
  if (tests) writeFileSync(join(ROOT, tests), await frameValidators(documents.asyncapi));
});
