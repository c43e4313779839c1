/** Makes a REST controller of the module: guards for the caller and the input, and the filter for errors. */
import { applyDecorators, Controller, SetMetadata, UseFilters, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '../api-docs.js';
import { ProtocolErrorFilter } from '../filters/protocol-error.filter.js';
import { ApiGuard } from '../guards/api.guard.js';
import { BodyTypeGuard } from '../guards/body-type.guard.js';
import { UnreadInputGuard } from '../guards/unread-input.guard.js';
import { REST_CONTROLLER } from '../routes.js';

export const RestController = (path: string): ClassDecorator =>
  applyDecorators(
    // The routes have no version of the host application.
    Controller({ path, version: VERSION_NEUTRAL }),
    SetMetadata(REST_CONTROLLER, true),
    ApiSecurity('api-key'),
    ApiBearerAuth(),
    UseGuards(ApiGuard, BodyTypeGuard, UnreadInputGuard),
    UseFilters(ProtocolErrorFilter),
  );
