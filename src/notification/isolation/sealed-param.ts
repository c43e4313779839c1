/**
 * A handler's parameter that no pipe of a host application changes.
 *
 *  1. A host's global pipes run on every parameter, also on one with its own decorator. Here they get a function and pass
 *     it on; the pipe behind them calls it.
 *  2. Pipes that check by a parameter's type would take the function for an instance of it, so the type is set to `Object`.
 */
import 'reflect-metadata';
import { createParamDecorator, type ExecutionContext, type PipeTransform } from '@nestjs/common';

type Enhancers = NonNullable<Parameters<typeof createParamDecorator>[1]>;
type Read = () => unknown;

/** @param pipes run behind those of the application, on the value that `read` gives */
export function sealedParam(
  read: (context: ExecutionContext) => unknown,
  enhancers: Enhancers = [],
  ...pipes: PipeTransform[]
): ParameterDecorator {
  return createParamDecorator(
    (_data: unknown, context: ExecutionContext): Read =>
      () =>
        read(context),
    [hideType, ...enhancers],
  )(new UnsealPipe(), ...pipes);
}

class UnsealPipe implements PipeTransform<unknown> {
  /** @throws TypeError when a pipe of the application has put another value in its place */
  transform(sealed: unknown): unknown {
    if (typeof sealed !== 'function') throw new TypeError('a pipe of the application has replaced a parameter of the module');
    return (sealed as Read)();
  }
}

const hideType: ParameterDecorator = (target, key, index) => {
  const types = key === undefined ? undefined : (Reflect.getOwnMetadata('design:paramtypes', target, key) as unknown[]);
  if (types) types[index] = Object;
};
