/** The fields of `dismiss`. */
import { IsNumber, IsOptional, IsPositive, Max } from 'class-validator';
import { MAX_MOMENT_S } from '../../../protocol/time.js';
import { IsIdentifier } from '../../validation/field-rules.js';

export class DismissDto {
  @IsIdentifier()
  callback_id!: string;

  /** Unix seconds. */
  @Max(MAX_MOMENT_S)
  @IsPositive()
  @IsNumber()
  @IsOptional()
  until?: number | null;
}
