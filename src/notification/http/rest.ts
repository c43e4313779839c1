/** What every REST controller of the module has in common: caller, type of the body, error shape. */
import { applyDecorators, Controller, SetMetadata, UseFilters, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from './api-docs.js';
import { RestGuard } from './caller.js';
import { HttpErrorFilter } from './http-error.filter.js';
import { BodyTypeGuard } from './json-body.js';
import { REST_CONTROLLER } from './routes.js';

export const RestController = (path: string): ClassDecorator =>
  applyDecorators(
    Controller(path),
    SetMetadata(REST_CONTROLLER, true),
    ApiSecurity('api-key'),
    ApiBearerAuth(),
    UseGuards(RestGuard, BodyTypeGuard),
    UseFilters(HttpErrorFilter),
  );
