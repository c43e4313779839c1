/**
 * A handler's parameter that no pipe of a host application changes.
 *
 * A host's global pipes run on every parameter, also on one with a decorator of its own. What they get here is a function,
 * which they pass on; the pipe behind them calls it. Such a parameter must not have a class for its type: pipes that check
 * by type would take the function for an instance.
 */
import { createParamDecorator, type ExecutionContext, type PipeTransform } from '@nestjs/common';

type Enhancers = Parameters<typeof createParamDecorator>[1];
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
    enhancers,
  )(new UnsealPipe(), ...pipes);
}

class UnsealPipe implements PipeTransform<unknown> {
  /** @throws TypeError when a pipe of the application has put another value in its place */
  transform(sealed: unknown): unknown {
    if (typeof sealed !== 'function') throw new TypeError('a pipe of the application has replaced a parameter of the module');
    return (sealed as Read)();
  }
}
