/** What every REST controller of the module has in common: caller, validation, error shape. */
import { applyDecorators, Controller, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '@nestjs/swagger';
import { bodyPipe, StructurePipe } from '../validation.js';
import { RestGuard } from './caller.js';
import { HttpErrorFilter } from './http-error.filter.js';

export const RestController = (path: string): ClassDecorator =>
  applyDecorators(
    Controller(path),
    ApiSecurity('api-key'),
    ApiBearerAuth(),
    UseGuards(RestGuard),
    UsePipes(new StructurePipe(), bodyPipe()),
    UseFilters(HttpErrorFilter),
  );
