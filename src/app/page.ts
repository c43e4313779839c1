/**
 * The web page at `/`, and its files under `/page/`. They hold no data, so they are open in secure mode too.
 *
 *  1. `/` is the page only for a request that accepts HTML. Programs get there what they got before, and a WebSocket
 *     upgrade does not come this way.
 *  2. The page may load and connect to nothing but this service, no page may frame it, and text cannot become script.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Logger, type INestApplication } from '@nestjs/common';
import type { Request, RequestHandler } from 'express';

/** Beside this folder, in what was built. */
const FOLDER = new URL('../page/', import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  'page.js': 'text/javascript; charset=utf-8',
  'offline.js': 'text/javascript; charset=utf-8',
  'more.js': 'text/javascript; charset=utf-8',
  'operations.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'manifest.webmanifest': 'application/manifest+json',
};
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  // The view of operations has a copy of lit-html of its own. `page` names the service worker's script.
  "trusted-types lit-html page 'allow-duplicates'",
].join('; ');
const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // The service worker serves the page above its own folder.
  'Service-Worker-Allowed': '../',
};

/** @param isSecure whether a user has a token instead of a name */
export function servePage(app: INestApplication, isSecure: boolean): void {
  if (!existsSync(new URL('page.js', FOLDER))) {
    new Logger('App').warn('the web page is not built, and not served: npm run build');
    return;
  }
  const html = readFileSync(new URL('index.html', FOLDER), 'utf8').replace(
    'data-auth="none"',
    `data-auth="${isSecure ? 'jwt' : 'none'}"`,
  );
  const files = new Map(Object.keys(TYPES).map((name) => [`/page/${name}`, { name, body: readFileSync(new URL(name, FOLDER)) }]));
  const serve: RequestHandler = (request, response, next) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const file = files.get(request.path);
    if (isRead && request.path === '/') response.vary('Accept');
    if (isRead && file)
      response
        .set(HEADERS)
        .type(TYPES[file.name] ?? '')
        .send(file.body);
    else if (isRead && request.path === '/' && acceptsHtml(request)) response.set(HEADERS).type('html').send(html);
    else next();
  };
  app.use(serve);
}

/** A browser names HTML; a program accepts anything, or JSON. */
const acceptsHtml = ({ headers }: Request): boolean => headers.accept?.includes('text/html') ?? false;
