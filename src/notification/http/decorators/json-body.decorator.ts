/** `@JsonBody(AnswerDto) body: Readonly<AnswerDto>`: a route's body, checked by the rules of its class and described. */
import { SetMetadata } from '@nestjs/common';
import { ApiBody } from '../api-docs.js';
import { RuleReader } from '../../validation/rule-reader.js';
import { isObject } from '../../../protocol/decode.js';
import { InvalidMessageError } from '../../notification.errors.js';
import { sealedParam } from '../../isolation/sealed-param.js';
import { readBody } from '../body-reader.js';
import { MESSAGE } from '../dto/schemas.js';
import { exchangeOf } from '../exchange.js';
import { onMethod } from './api-docs.decorator.js';

/** On a handler that reads its body. */
export const READS_BODY = 'notification:reads-body';

/** @param dto refuses an unknown field by name; without a class the body is any object, a message of the application's own */
export function JsonBody(dto?: new () => object): ParameterDecorator {
  const reader = dto && new RuleReader(dto, 'refuse');
  return sealedParam(
    async (context) => {
      const body = await readBody(exchangeOf(context).request);
      if (reader) return reader.read(body);
      if (isObject(body)) return body;
      throw new InvalidMessageError({ '(body)': 'must be a JSON object' });
    },
    [onMethod(ApiBody(dto ? { type: dto } : { schema: MESSAGE }), SetMetadata(READS_BODY, true))],
  );
}
