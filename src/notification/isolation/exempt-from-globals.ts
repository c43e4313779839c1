/**
 * Exempts the module's actions and routes from what a host application has bound globally for its own routes:
 *
 *  1. Guards do not run for the actions: one that is written for HTTP finds no request there, and would refuse every frame.
 *     They do run for the REST routes, so that nothing is open that the application has closed.
 *  2. Interceptors run for neither: one that wraps, caches or times out responses would break the protocol.
 *  3. Pipes do not see the parameters (`sealedParam`), and filters come after the module's own.
 *
 * Nest offers no way to exclude a class, so the two lists are wrapped where Nest reads them.
 */
import type { CallHandler, CanActivate, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';

interface RequestWrapper {
  getInstanceByContextId(...args: never[]): { instance: unknown } | undefined;
}
type IsOwn = (handlerClass: Type) => boolean;

/** Call it before the application connects its gateways and routes. */
export function exemptFromGlobals(config: ApplicationConfig, isGateway: IsOwn, isController: IsOwn): void {
  const guards = config.getGlobalGuards.bind(config);
  const interceptors = config.getGlobalInterceptors.bind(config);
  const requestGuards = config.getGlobalRequestGuards.bind(config);
  const requestInterceptors = config.getGlobalRequestInterceptors.bind(config);
  const isEither: IsOwn = (handlerClass) => isGateway(handlerClass) || isController(handlerClass);
  const exemptGuard = (guard: CanActivate): CanActivate => ({
    canActivate: (context: ExecutionContext) => isGateway(context.getClass()) || guard.canActivate(context),
  });
  const exemptInterceptor = (interceptor: NestInterceptor): NestInterceptor => ({
    intercept: (context: ExecutionContext, next: CallHandler) =>
      isEither(context.getClass()) ? next.handle() : interceptor.intercept(context, next),
  });
  config.getGlobalGuards = () => guards().map(exemptGuard);
  config.getGlobalInterceptors = () => interceptors().map(exemptInterceptor);
  config.getGlobalRequestGuards = () => requestGuards().map((wrapper) => perRequest(wrapper, exemptGuard));
  config.getGlobalRequestInterceptors = () => requestInterceptors().map((wrapper) => perRequest(wrapper, exemptInterceptor));
}

/** The same provider, whose instance of each request is replaced by `exempt` of it. */
function perRequest<T, Wrapper extends RequestWrapper>(wrapper: Wrapper, exempt: (instance: T) => T): Wrapper {
  return new Proxy(wrapper, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'getInstanceByContextId') return value.bind(target) as unknown;
      return (...args: never[]) => {
        const host = target.getInstanceByContextId(...args);
        return host && { ...host, instance: exempt(host.instance as T) };
      };
    },
  });
}
