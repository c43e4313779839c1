/**
 * The decorators of `@nestjs/swagger`, deferred: Swagger is needed where a document is made, at build time, and nowhere else.
 *
 * Each decorator here has the name and the parameters of Swagger's own and only records its call. `applyApiDocs` makes the
 * recorded calls, in their order, before the first document is created. Like the metadata of any decorator, what is
 * recorded belongs to the class, not to an application.
 */
import type * as Swagger from '@nestjs/swagger';

type Decorator = (...target: Parameters<MethodDecorator>) => void;
type DecoratorName = Extract<keyof typeof Swagger, `Api${string}`>;

const recorded: ((swagger: typeof Swagger) => void)[] = [];

/** Records a step that reads what decorators recorded before it. */
export function documentLater(step: (swagger: typeof Swagger) => void): void {
  recorded.push(step);
}

/** The steps recorded so far, once. */
export const takeRecorded = (): typeof recorded => recorded.splice(0);

function deferred<Name extends DecoratorName>(name: Name): (typeof Swagger)[Name] {
  const record =
    (...args: unknown[]): Decorator =>
    (...target) => {
      documentLater((swagger) => (swagger[name] as unknown as (...args: unknown[]) => Decorator)(...args)(...target));
    };
  return record as unknown as (typeof Swagger)[Name];
}

export const ApiBearerAuth = deferred('ApiBearerAuth');
export const ApiBody = deferred('ApiBody');
export const ApiExcludeController = deferred('ApiExcludeController');
export const ApiExtraModels = deferred('ApiExtraModels');
export const ApiHeader = deferred('ApiHeader');
export const ApiOperation = deferred('ApiOperation');
export const ApiParam = deferred('ApiParam');
export const ApiProduces = deferred('ApiProduces');
export const ApiProperty = deferred('ApiProperty');
export const ApiPropertyOptional = deferred('ApiPropertyOptional');
export const ApiResponse = deferred('ApiResponse');
export const ApiSecurity = deferred('ApiSecurity');
export const ApiTags = deferred('ApiTags');
