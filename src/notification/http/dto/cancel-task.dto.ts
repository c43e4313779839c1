/** The body of `POST /ws/tasks/:task_id/cancel`. */
import { ApiPropertyOptional } from '../api-docs.js';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { HasNoNul, IsIdentifier } from '../../validation/field-rules.js';

export class CancelTaskDto {
  @ApiPropertyOptional({
    description: 'The task’s user, if the task has none yet.',
    minLength: 1,
    maxLength: MAX_IDENTIFIER_LENGTH,
  })
  @IsIdentifier()
  @IsOptional()
  user_id?: string;

  @ApiPropertyOptional({ description: 'Why, in words; without NUL.', maxLength: 1024 })
  @HasNoNul()
  @MaxLength(1024)
  @IsString()
  @IsOptional()
  reason?: string;
}
