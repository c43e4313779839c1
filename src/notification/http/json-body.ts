/**
 * The body of a REST request. It is JSON in UTF-8, or the request is refused: input that was not understood decides nothing.
 *
 *  1. `BodyTypeGuard` decides by the headers alone, on every route, after the caller is known.
 *  2. `@JsonBody()` reads the bytes itself. Where a host app's parser has read them first, it uses the bytes that
 *     `keepBody` or Nest's option `rawBody` kept; without those, the parsed value.
 *  3. Nothing but `RuleReader` walks the value: a host app's pipes skip a parameter with a decorator of its own.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { createParamDecorator, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ApiBody } from './api-docs.js';
import { decodeBody, isObject } from '../../protocol/decode.js';
import { asFields, findFault } from '../../protocol/json.js';
import { InvalidMessageError, NotificationError, UnsupportedBodyError } from '../notification.errors.js';
import { RuleReader } from '../rules.js';
import { headerText } from './header-text.js';
import { hasBody } from './http-error.filter.js';
import { MESSAGE } from './schemas.js';

export const MAX_BODY_BYTES = 1_048_576;
const BOM = '\ufeff';
const KEPT = Symbol('the bytes of a body');

type BodyRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; [KEPT]?: { chunks: Buffer[]; bytes: number } };

/** Refuses a body of another type, whatever the route makes of it. */
export class BodyTypeGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<BodyRequest>();
    if (hasBody(request)) mustBeJson(request);
    return true;
  }
}

/** The body as an instance of `bodyClass`, an unknown field refused by name; without a class any JSON, a message of the application's own. */
export function JsonBody(bodyClass?: new () => object): ParameterDecorator {
  const reader = bodyClass && new RuleReader(bodyClass, 'refuse');
  const described = ApiBody(bodyClass ? { type: bodyClass } : { schema: MESSAGE });
  return createParamDecorator(
    async (_data: unknown, context: ExecutionContext): Promise<unknown> => {
      const body = await readBody(context.switchToHttp().getRequest<BodyRequest>());
      return reader ? reader.read(body) : body;
    },
    [
      (target, key) => {
        const method = key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key);
        if (method && key !== undefined) described(target, key, method);
      },
    ],
  )();
}

/** Keeps the bytes of a body that a host app's parser may read first, so that the text counts and not what the parser made of it. */
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

/** @throws NotificationError */
async function readBody(request: BodyRequest): Promise<unknown> {
  if (!hasBody(request)) throw missing();
  const bytes = request.readableDidRead || request.readableEnded ? bytesKept(request) : await collect(request);
  if (bytes) return decode(bytes);
  const { body } = request;
  if (!isObject(body) && !Array.isArray(body))
    throw new UnsupportedBodyError('(body)', 'another parser has read it, and not as JSON');
  const fault = findFault(body);
  if (fault) throw new InvalidMessageError(asFields(fault, '(body)'));
  return body;
}

function decode(bytes: Buffer): unknown {
  if (bytes.length === 0) throw missing();
  if (!isUtf8(bytes))
    throw new NotificationError('INVALID_JSON', 'Invalid JSON format', { fields: { '(body)': 'must be UTF-8' } });
  const text = bytes.toString();
  return decodeBody(text.startsWith(BOM) ? text.slice(1) : text);
}

/** The bytes that another parser has read, where somebody kept them. */
function bytesKept(request: BodyRequest): Buffer | undefined {
  const { body, rawBody, [KEPT]: kept } = request;
  if (kept && kept.bytes > MAX_BODY_BYTES) throw tooLarge();
  if (kept && request.complete) return Buffer.concat(kept.chunks);
  if (Buffer.isBuffer(rawBody)) return rawBody;
  return Buffer.isBuffer(body) ? body : undefined;
}

async function collect(request: BodyRequest): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const end = (settle: () => void): void => {
      request.off('data', take).off('end', finish).off('error', fail).off('close', fail);
      settle();
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

/** @throws UnsupportedBodyError */
function mustBeJson(request: IncomingMessage): void {
  const given = headerText(request, 'Content-Type') ?? '';
  const [type = '', ...parameters] = given.split(';').map((part) => part.trim());
  if (type.toLowerCase() !== 'application/json') throw new UnsupportedBodyError('Content-Type', 'must be application/json');
  const charset = parameters.find((parameter) => /^charset\s*=/i.test(parameter));
  if (charset !== undefined && !/^charset\s*=\s*"?utf-?8"?$/i.test(charset))
    throw new UnsupportedBodyError('Content-Type', 'the charset must be utf-8');
  const encoding = headerText(request, 'Content-Encoding') ?? 'identity';
  if (!/^(?:identity)?$/i.test(encoding)) throw new UnsupportedBodyError('Content-Encoding', 'must be identity');
}

const missing = (): InvalidMessageError => new InvalidMessageError({ '(body)': 'is required' });
const tooLarge = (): InvalidMessageError => new InvalidMessageError({ '(body)': `must have at most ${MAX_BODY_BYTES} bytes` });
