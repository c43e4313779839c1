/**
 * The body of a REST request. It is JSON in UTF-8, or the request is refused. Input that was not understood decides nothing.
 *
 *  1. `BodyTypeGuard` decides by the headers alone, on every route, after the caller is known.
 *  2. The bytes are read here. If a host app's parser has read them first, the bytes that `keepBody` or Nest's option
 *     `rawBody` kept are used, and otherwise the parsed value.
 *  3. Only `RuleReader` walks the value.
 *  4. `UnreadInputGuard` refuses what a route does not read.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { decodeBody, isObject } from '../../protocol/decode.js';
import { asFields, findFault } from '../../protocol/json.js';
import { InvalidMessageError, NotificationError, UnsupportedBodyError } from '../notification.errors.js';

export const MAX_BODY_BYTES = 1_048_576;
const BOM = '\ufeff';
const KEPT = Symbol('the bytes of a body');

export type BodyRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; [KEPT]?: { chunks: Buffer[]; bytes: number } };

/** Keeps the bytes of a body that a host app's parser may read first. The module then decodes the text itself. */
export function keepBody(request: BodyRequest): void {
  const kept = { chunks: [] as Buffer[], bytes: 0 };
  request[KEPT] = kept;
  const push = request.push.bind(request);
  request.push = (chunk: unknown, encoding) => {
    if (Buffer.isBuffer(chunk)) {
      kept.bytes += chunk.length;
      if (kept.bytes <= MAX_BODY_BYTES) kept.chunks.push(chunk);
      else kept.chunks.length = 0;
    }
    return push(chunk, encoding);
  };
}

/** @throws NotificationError, also where there is no body */
export async function readBody(request: BodyRequest): Promise<unknown> {
  const body = await readBodyIfAny(request);
  if (body === undefined) throw new InvalidMessageError({ '(body)': 'is required' });
  return body;
}

/** @returns `undefined` without a body, or for one of no bytes. @throws NotificationError */
export async function readBodyIfAny(request: BodyRequest): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  const bytes = request.readableDidRead || request.readableEnded ? bytesKept(request) : await collect(request);
  if (bytes) return bytes.length === 0 ? undefined : decode(bytes);
  const { body } = request;
  if (!isObject(body) && !Array.isArray(body))
    throw new UnsupportedBodyError('(body)', 'another parser has read it, and not as JSON');
  const fault = findFault(body);
  if (fault) throw new InvalidMessageError(asFields(fault, '(body)'));
  return body;
}

function decode(bytes: Buffer): unknown {
  if (!isUtf8(bytes))
    throw new NotificationError('INVALID_JSON', 'Invalid JSON format', { fields: { '(body)': 'must be UTF-8' } });
  const text = bytes.toString();
  return decodeBody(text.startsWith(BOM) ? text.slice(1) : text);
}

/** The bytes that another parser has read, if `keepBody` or `rawBody` kept them. */
function bytesKept(request: BodyRequest): Buffer | undefined {
  const { body, rawBody, [KEPT]: kept } = request;
  if (kept && kept.bytes > MAX_BODY_BYTES) throw tooLarge();
  if (kept && request.complete) return Buffer.concat(kept.chunks);
  if (Buffer.isBuffer(rawBody)) return rawBody;
  return Buffer.isBuffer(body) ? body : undefined;
}

async function collect(request: BodyRequest): Promise<Buffer> {
  if (declaredLength(request) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const end = (finishWith: () => void): void => {
      request.off('data', take).off('end', finish).off('error', fail).off('close', fail);
      finishWith();
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
      else end(() => reject(tooLarge()));
    };
    const finish = (): void => end(resolve);
    const fail = (): void => end(() => reject(new InvalidMessageError({ '(body)': 'ended before it was complete' })));
    request.on('data', take).on('end', finish).on('error', fail).on('close', fail);
  });
  return Buffer.concat(chunks);
}

const tooLarge = (): InvalidMessageError => new InvalidMessageError({ '(body)': `must have at most ${MAX_BODY_BYTES} bytes` });

export const hasBody = (request: IncomingMessage): boolean => declaredLength(request) > 0;

/** The length that a body declares; a chunked one counts as the largest that is taken. */
export function declaredLength({ headersDistinct }: IncomingMessage): number {
  if (headersDistinct['transfer-encoding']) return MAX_BODY_BYTES;
  return Number(headersDistinct['content-length']?.[0] ?? 0);
}

/**
 * Hides the body from an application's parsers: the bytes stay in the socket until the route reads them. The parsers of
 * Express and Fastify look for these headers. The module itself reads `headersDistinct`, which keeps them.
 */
export function hideBody({ headers }: IncomingMessage): void {
  for (const name of ['content-type', 'content-length', 'transfer-encoding']) Reflect.deleteProperty(headers, name);
}
