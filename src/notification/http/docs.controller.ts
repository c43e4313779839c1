/**
 * `/docs`: the page and the documents, open to everybody. The build makes them from the code (`scripts/api-documents.mjs`), so
 * serving them needs nothing but the files.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Controller, Get, Header, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from './api-docs.js';
import type { HeaderReply } from './exchange.js';

/** In the built package; the CommonJS form has a copy. */
const FOLDER = new URL('../../docs/', import.meta.url);
const JSON_TYPE = 'application/json; charset=utf-8';

@ApiExcludeController()
@Controller({ version: VERSION_NEUTRAL })
export class DocsController {
  private readonly page = read('index.html');
  private readonly openApi = read('openapi.json');
  private readonly asyncApi = read('asyncapi.json');
  private readonly policy = policyFor(this.page);

  @Get('docs')
  @Header('Content-Type', 'text/html; charset=utf-8')
  readPage(@Res({ passthrough: true }) response: HeaderReply): string {
    response.header('Content-Security-Policy', this.policy);
    return this.page;
  }

  /** The last two are the addresses that `@nestjs/swagger` gives. JSON is YAML, too. */
  @Get(['docs/openapi.json', 'docs-json', 'docs-yaml'])
  @Header('Content-Type', JSON_TYPE)
  readOpenApi(): string {
    return this.openApi;
  }

  @Get('docs/asyncapi.json')
  @Header('Content-Type', JSON_TYPE)
  readAsyncApi(): string {
    return this.asyncApi;
  }
}

const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');

/** The page has a style sheet of its own and no script. What its reader types into the console may call this service. */
function policyFor(page: string): string {
  const style = /<style>(.*?)<\/style>/s.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  return [
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
