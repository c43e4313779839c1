/** `@JsonBody(AnswerDto) body: Readonly<AnswerDto>`: a route's body, checked by the rules of its class and described. */
import { ApiBody } from '../api-docs.js';
import { RuleReader } from '../../rules.js';
import { sealedParam } from '../../sealed-param.js';
import { readBody } from '../body-reader.js';
import { MESSAGE } from '../dto/schemas.js';
import { exchangeOf } from '../exchange.js';
import { onMethod } from './api-docs.decorator.js';

/** @param dto refuses an unknown field by name; without a class the body is any JSON, a message of the application's own */
export function JsonBody(dto?: new () => object): ParameterDecorator {
  const reader = dto && new RuleReader(dto, 'refuse');
  return sealedParam(
    async (context) => {
      const body = await readBody(exchangeOf(context).request);
      return reader ? reader.read(body) : body;
    },
    [onMethod(ApiBody(dto ? { type: dto } : { schema: MESSAGE }))],
  );
}
