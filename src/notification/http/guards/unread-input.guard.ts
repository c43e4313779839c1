/**
 * Refuses what a route that changes something would ignore: a body with fields, or a query, that its handler does not read.
 * The caller meant something by it. An empty body and `{}` say nothing, so they pass.
 */
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isObject } from '../../../protocol/decode.js';
import { InvalidMessageError } from '../../notification.errors.js';
import { readBodyIfAny } from '../body-reader.js';
import { READS_QUERY } from '../decorators/checked-query.decorator.js';
import { READS_BODY } from '../decorators/json-body.decorator.js';
import { exchangeOf } from '../exchange.js';

@Injectable()
export class UnreadInputGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { request } = exchangeOf(context);
    if (request.method === 'GET' || request.method === 'HEAD') return true;
    const reads = (input: string): boolean => this.reflector.get<boolean | undefined>(input, context.getHandler()) === true;
    if (!reads(READS_QUERY))
      refuseFields(context.switchToHttp().getRequest<{ query: object }>().query, 'is no parameter of this route');
    if (!reads(READS_BODY)) {
      const body = (await readBodyIfAny(request)) ?? {};
      if (!isObject(body)) throw new InvalidMessageError({ '(body)': 'this route takes none' });
      refuseFields(body, 'is no field of this: the route takes no body');
    }
    return true;
  }
}

/** @throws InvalidMessageError naming each field */
function refuseFields(given: object, problem: string): void {
  const names = Object.keys(given);
  if (names.length > 0) throw new InvalidMessageError(Object.fromEntries(names.map((name) => [name, problem])));
}
