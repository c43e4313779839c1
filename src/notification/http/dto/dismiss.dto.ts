/** The body of `POST /ws/confirmations/:callback_id/dismiss`. */
import { IsNumber, IsOptional, IsPositive, Max } from 'class-validator';
import { MAX_MOMENT_S } from '../../../protocol/time.js';
import { ApiPropertyOptional } from '../api-docs.js';
import { MOMENT } from './schemas.js';

export class DismissBodyDto {
  @ApiPropertyOptional({
    type: Number,
    description: `Until when, at least a minute from now. ${MOMENT} Required where the prompt has no warning to come.`,
    nullable: true,
  })
  @Max(MAX_MOMENT_S)
  @IsPositive()
  @IsNumber()
  @IsOptional()
  until?: number | null;
}
