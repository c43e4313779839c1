/** Refuses a body of another type with 415, by the headers alone and on every route, whether the route reads it or not. */
import type { IncomingMessage } from 'node:http';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { UnsupportedBodyError } from '../../notification.errors.js';
import { hasBody } from '../body-reader.js';
import { exchangeOf } from '../exchange.js';
import { headerText } from '../header-text.js';

export class BodyTypeGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { request } = exchangeOf(context);
    if (hasBody(request)) assertIsJson(request);
    return true;
  }
}

/** @throws UnsupportedBodyError */
function assertIsJson(request: IncomingMessage): void {
  const given = headerText(request, 'Content-Type') ?? '';
  const [type = '', ...parameters] = given.split(';').map((part) => part.trim());
  if (type.toLowerCase() !== 'application/json') throw new UnsupportedBodyError('Content-Type', 'must be application/json');
  const charset = parameters.find((parameter) => /^charset\s*=/i.test(parameter));
  if (charset !== undefined && !/^charset\s*=\s*"?utf-?8"?$/i.test(charset))
    throw new UnsupportedBodyError('Content-Type', 'the charset must be utf-8');
  const encoding = headerText(request, 'Content-Encoding') ?? 'identity';
  if (!/^(?:identity)?$/i.test(encoding)) throw new UnsupportedBodyError('Content-Encoding', 'must be identity');
}
