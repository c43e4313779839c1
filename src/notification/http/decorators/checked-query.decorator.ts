/** A route's query, checked by the rules of its class. An unknown name is refused: a misspelt option must not become a default. */
import 'reflect-metadata';
import { SetMetadata } from '@nestjs/common';
import type * as Swagger from '@nestjs/swagger';
import { documentLater } from '../api-docs.js';
import { RuleReader } from '../../validation/rule-reader.js';
import { sealedParam } from '../../isolation/sealed-param.js';
import { onMethod } from './api-docs.decorator.js';

/** On a handler that reads its query. */
export const READS_QUERY = 'notification:reads-query';

const NUMBER_IN_TEXT = 'notification:number-in-text';
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;

/** A number in a query, which arrives as text. */
export const FromText = (): PropertyDecorator => Reflect.metadata(NUMBER_IN_TEXT, true);

/** The query as an instance of `dto`. */
export function CheckedQuery(dto: new () => object): ParameterDecorator {
  const reader = new RuleReader(dto, 'refuse');
  const prototype = dto.prototype as object;
  const valueOf = (name: string, value: unknown): unknown => {
    const isNumber = Reflect.getMetadata(NUMBER_IN_TEXT, prototype, name) === true;
    return isNumber && typeof value === 'string' && NUMBER.test(value) ? Number(value) : value;
  };
  return sealedParam(
    (context) => {
      const query = context.switchToHttp().getRequest<{ query: object }>().query;
      return reader.read(Object.fromEntries(Object.entries(query).map(([name, value]) => [name, valueOf(name, value)])));
    },
    [
      onMethod(
        (target, key, method) => {
          documentLater((swagger) => {
            for (const described of describe(prototype, swagger)) described(target, key, method);
          });
        },
        SetMetadata(READS_QUERY, true),
      ),
    ],
  );
}

/** OpenAPI's parameters, of the properties that the class describes. */
function describe(prototype: object, { ApiQuery }: typeof Swagger): MethodDecorator[] {
  const names = (Reflect.getMetadata('swagger/apiModelPropertiesArray', prototype) ?? []) as string[];
  return names.map((marked) => {
    const name = marked.replace(/^:/, '');
    const {
      type,
      description,
      required,
      isArray: _,
      ...rest
    } = Reflect.getMetadata('swagger/apiModelProperties', prototype, name) as Swagger.ApiPropertyOptions & {
      type: unknown;
      required: boolean;
    };
    const schema = { ...rest, type: typeof type === 'function' ? type.name.toLowerCase() : type } as object;
    return ApiQuery({ name, required, description, schema });
  });
}
