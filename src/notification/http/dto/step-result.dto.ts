import { ApiProperty, ApiPropertyOptional } from '../api-docs.js';
import { Allow, IsBoolean, IsNotEmpty, IsOptional, IsString } from 'class-validator';
import type { StepResult } from '../../../protocol/confirmation.js';
import { IsTextOrNumber } from '../../validation/field-rules.js';
import { ANY_JSON } from './schemas.js';

export class StepResultDto implements StepResult {
  @ApiPropertyOptional({ type: String, description: 'The step’s own name; `step_name` on the wire.', nullable: true })
  @IsString()
  @IsOptional()
  step?: string | null;

  @ApiProperty({ description: 'What the user reads.', minLength: 1 })
  @IsNotEmpty()
  @IsString()
  message!: string;

  @ApiPropertyOptional({ type: String, description: 'The application’s word for how the step stands.', nullable: true })
  @IsString()
  @IsOptional()
  status?: string | null;

  @ApiPropertyOptional({ description: 'Any JSON value, passed through.', ...ANY_JSON })
  @Allow()
  @IsOptional()
  result?: unknown;

  @ApiPropertyOptional({ type: Boolean, description: 'Whether the step is done.', nullable: true })
  @IsBoolean()
  @IsOptional()
  completed?: boolean | null;

  @ApiPropertyOptional({
    description: 'The application’s code of a failure.',
    oneOf: [{ type: 'string', nullable: true }, { type: 'number' }],
  })
  @IsTextOrNumber()
  @IsOptional()
  error_code?: string | number | null;

  @ApiPropertyOptional({ type: String, description: 'The failure in words.', nullable: true })
  @IsString()
  @IsOptional()
  error_message?: string | null;
}
