/** What every REST controller of the module has in common: caller, type of the body, shape of errors. */
import { applyDecorators, Controller, SetMetadata, UseFilters, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '../api-docs.js';
import { ProtocolErrorFilter } from '../filters/protocol-error.filter.js';
import { ApiGuard } from '../guards/api.guard.js';
import { BodyTypeGuard } from '../guards/body-type.guard.js';
import { REST_CONTROLLER } from '../routes.js';

export const RestController = (path: string): ClassDecorator =>
  applyDecorators(
    Controller(path),
    SetMetadata(REST_CONTROLLER, true),
    ApiSecurity('api-key'),
    ApiBearerAuth(),
    UseGuards(ApiGuard, BodyTypeGuard),
    UseFilters(ProtocolErrorFilter),
  );
