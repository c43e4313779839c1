/** The module's REST routes as the application serves them, so that a request is recognised before it is routed. */
import type { RequestMethod, Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';

/** Controllers that `@RestController` made. */
export const REST_CONTROLLER = 'notification:rest-controller';

export class Routes {
  private readonly patterns: { path: string; segments: string[] }[];

  /**
   * @param controllers each with the path of its module, with or without slashes
   * @param prefixOf the application's global prefix for a path: some paths may be excluded
   */
  constructor(controllers: Iterable<{ controller: unknown; modulePath: string }>, prefixOf: (path: string) => string) {
    this.patterns = [...controllers]
      .filter((one): one is { controller: Type; modulePath: string } => isRestController(one.controller))
      .flatMap(({ controller, modulePath }) => pathsOf(controller).map((path) => segmentsOf(`${modulePath}/${path}`)))
      .map((segments) => [...segmentsOf(prefixOf(`/${segments.join('/')}`)), ...segments])
      .map((segments) => ({ path: `/${segments.join('/')}`, segments: segments.map((part) => part.toLowerCase()) }));
  }

  /**
   * The pattern of the route that a path matches, by the rules of Express: any case, with or without a slash at the end.
   * @returns `undefined` for a path that is none of the routes
   */
  find(path: string): string | undefined {
    const given = segmentsOf(path.toLowerCase());
    return this.patterns.find(
      ({ segments }) =>
        segments.length === given.length && segments.every((part, index) => part.startsWith(':') || part === given[index]),
    )?.path;
  }
}

export function isRestController(controller: unknown): boolean {
  return typeof controller === 'function' && Reflect.getMetadata(REST_CONTROLLER, controller) === true;
}

function pathsOf(controller: Type): string[] {
  const base = Reflect.getMetadata(PATH_METADATA, controller) as string;
  const prototype = controller.prototype as Record<string, unknown>;
  return methodNames(prototype)
    .map((name) => prototype[name])
    .filter((method): method is object => typeof method === 'function' && isRoute(method))
    .map((method) => `${base}/${Reflect.getMetadata(PATH_METADATA, method) as string}`);
}

/** Handlers of a controller, inherited ones included. */
function methodNames(prototype: object | null): string[] {
  if (prototype === null || prototype === Object.prototype) return [];
  return [...Object.getOwnPropertyNames(prototype), ...methodNames(Object.getPrototypeOf(prototype) as object | null)];
}

function isRoute(method: object): boolean {
  return (Reflect.getMetadata(METHOD_METADATA, method) as RequestMethod | undefined) !== undefined;
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}
