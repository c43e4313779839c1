/** The fields of `cancel`. */
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { HasNoNul, IsIdentifier } from '../../validation/field-rules.js';

export class CancelDto {
  @IsIdentifier()
  user_id!: string;

  @IsIdentifier()
  task_id!: string;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  @HasNoNul()
  reason?: string | null;
}
