/**
 * `/docs`: the page, the documents and the project's own pages, open to everybody. The build makes them from the code (`scripts/api-documents.mjs`), so
 * serving them needs nothing but the files.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Controller, Get, Header, NotFoundException, Param, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from './api-docs.js';
import type { HeaderReply } from './exchange.js';

/** In the built package. The CommonJS form is one folder deeper. */
const FOLDER = ['../../docs/', '../../../docs/']
  .map((path) => new URL(path, import.meta.url))
  .find((folder) => existsSync(new URL('index.html', folder)));
const MARKDOWN_TYPE = 'text/markdown; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

@ApiExcludeController()
@Controller({ version: VERSION_NEUTRAL })
export class DocsController {
  private readonly page = read('index.html');
  private readonly openApi = read('openapi.json');
  private readonly asyncApi = read('asyncapi.json');
  private readonly markdown = readdirSync(folder()).filter((name) => /\.(md|txt)$/.test(name));
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

  /** The index of the pages, for language models. */
  @Get('llms.txt')
  @Header('Content-Type', MARKDOWN_TYPE)
  readIndex(): Promise<string> {
    return this.readMarkdown('llms.txt');
  }

  /** @throws NotFoundException */
  @Get('docs/:page')
  @Header('Content-Type', MARKDOWN_TYPE)
  readMarkdown(@Param('page') name: string): Promise<string> {
    // A name of the list is no path to anywhere else.
    if (!this.markdown.includes(name)) throw new NotFoundException();
    return readFile(new URL(name, folder()), 'utf8');
  }
}

function folder(): URL {
  if (!FOLDER) throw new Error('the documents are not built: npm run build');
  return FOLDER;
}

const read = (name: string): string => readFileSync(new URL(name, folder()), 'utf8');

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
