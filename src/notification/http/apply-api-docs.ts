/** In a file of its own, whose types name nothing of Swagger: an application without Swagger reads them too. */
import type * as Swagger from '@nestjs/swagger';
import { takeRecorded } from './api-docs.js';

/**
 * Gives Swagger what the module's routes and bodies say of themselves. Call it before `SwaggerModule.createDocument`, in an
 * application that describes the module's routes in a document of its own.
 *
 * @param swagger the application's own `@nestjs/swagger`
 * @example
 * applyApiDocs(await import('@nestjs/swagger'));
 */
export function applyApiDocs(swagger: object): void {
  for (const apply of takeRecorded()) apply(swagger as typeof Swagger);
}
