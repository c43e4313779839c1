/** What every REST controller of the module has in common: caller, validation, error shape. */
import { applyDecorators, Controller, SetMetadata, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '@nestjs/swagger';
import { bodyPipe, StructurePipe } from '../validation.js';
import { RestGuard } from './caller.js';
import { HttpErrorFilter } from './http-error.filter.js';
import { REST_CONTROLLER } from './routes.js';

export const RestController = (path: string): ClassDecorator =>
  applyDecorators(
    Controller(path),
    SetMetadata(REST_CONTROLLER, true),
    ApiSecurity('api-key'),
    ApiBearerAuth(),
    UseGuards(RestGuard),
    UsePipes(new StructurePipe(), bodyPipe()),
    UseFilters(HttpErrorFilter),
  );
