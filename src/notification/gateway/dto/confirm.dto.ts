/** The fields of `confirm`. */
import { Allow, IsBoolean, IsObject, IsOptional, IsString } from 'class-validator';
import type { Json, JsonObject } from '../../../protocol/confirmation.js';
import { HasNoNul, IsIdentifier } from '../../validation.js';

export class ConfirmDto {
  @IsIdentifier()
  callback_id!: string;

  @IsOptional()
  @IsBoolean()
  proceed?: boolean | null;

  @IsOptional()
  @IsString()
  @HasNoNul()
  feedback?: string | null;

  @IsOptional()
  @IsString()
  choice?: string | null;

  @IsOptional()
  @IsObject()
  values?: JsonObject | null;

  /** Any JSON. */
  @Allow()
  edited?: Json;

  @IsOptional()
  @IsString()
  digest?: string | null;
}
