/** The query of `GET /ws/users/:user_id/confirmations`. */
import { ApiPropertyOptional } from '../api-docs.js';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import type { ConfirmationState } from '../../../protocol/confirmation.js';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { IsIdentifier } from '../../validation.js';
import { FromText } from '../decorators/checked-query.decorator.js';
import { STATES } from './schemas.js';

export class InboxQueryDto {
  @ApiPropertyOptional({ type: String, enum: [...STATES], description: 'Only those in this state.' })
  @IsIn(STATES)
  @IsOptional()
  state?: ConfirmationState;

  @ApiPropertyOptional({ description: 'Only those of this task.', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH })
  @IsIdentifier()
  @IsOptional()
  task_id?: string;

  @ApiPropertyOptional({
    type: 'integer',
    description: 'How many at most, oldest first.',
    minimum: 1,
    maximum: 1000,
    default: 100,
  })
  @Max(1000)
  @Min(1)
  @IsInt()
  @IsOptional()
  @FromText()
  limit?: number;

  @ApiPropertyOptional({ description: 'From the page before; opaque.' })
  @IsString()
  @IsOptional()
  cursor?: string;
}
