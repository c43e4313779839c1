/** The bodies and queries of the REST routes, checked by class-validator. An unknown field is refused by name. */
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsNumber,
  IsObject,
  IsOptional,
  IsPositive,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { IsIdentifier } from '../validation.js';
import type { Choice, ConfirmationState, InputSchema, JsonObject, OnTimeout, StepResult } from '../../protocol/confirmation.js';

const STATES = ['pending', 'answered', 'timed_out', 'cancelled', 'withdrawn'] as const;

export class StepResultBody implements StepResult {
  @IsOptional()
  @IsString()
  step?: string | null;

  @IsOptional()
  @IsString()
  message?: string | null;

  @IsOptional()
  @IsString()
  status?: string | null;

  @IsOptional()
  result?: unknown;

  @IsOptional()
  @IsBoolean()
  completed?: boolean | null;

  /** A string or a number; `request.ts` checks which. */
  @IsOptional()
  error_code?: string | number | null;

  @IsOptional()
  @IsString()
  error_message?: string | null;
}

export class ChoiceBody implements Choice {
  @IsString()
  @IsNotEmpty()
  id!: string;

  @IsString()
  label!: string;

  @IsBoolean()
  proceed!: boolean;
}

export class OpenConfirmationBody {
  @IsIdentifier()
  user_id!: string;

  @IsIdentifier()
  task_id!: string;

  @IsInt()
  step!: number;

  @IsObject()
  @ValidateNested()
  @Type(() => StepResultBody)
  step_result!: StepResultBody;

  /** Seconds; `null`: for ever. */
  @ValidateIf((_body, value) => value !== undefined && value !== null)
  @IsNumber()
  @IsPositive()
  timeout?: number | null;

  @IsOptional()
  @IsIn(['proceed', 'abort', 'error'])
  on_timeout?: OnTimeout;

  @IsOptional()
  @IsIn(['irreversible'])
  risk?: 'irreversible';

  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(100)
  @ValidateNested({ each: true })
  @Type(() => ChoiceBody)
  choices?: ChoiceBody[];

  @IsOptional()
  @IsObject()
  input_schema?: InputSchema;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  title?: string;

  @IsOptional()
  @IsObject()
  metadata?: JsonObject;
}

export class AnswerBody {
  @IsOptional()
  @IsBoolean()
  proceed?: boolean | null;

  @IsOptional()
  @IsString()
  feedback?: string | null;

  @IsOptional()
  @IsString()
  choice?: string | null;

  @IsOptional()
  @IsObject()
  values?: JsonObject | null;

  @IsOptional()
  @IsString()
  digest?: string | null;
}

export class HeartbeatBody {
  @IsIdentifier()
  user_id!: string;

  /** Seconds. */
  @IsOptional()
  @IsNumber()
  @IsPositive()
  interval?: number;

  /** Seconds. */
  @IsOptional()
  @IsNumber()
  @IsPositive()
  @Max(86_400)
  ttl?: number;
}

export class CancelBody {
  @IsOptional()
  @IsIdentifier()
  user_id?: string;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  reason?: string;
}

/** `?wait=`: seconds. */
export class WaitQuery {
  @IsOptional()
  @Type(() => Number)
  @IsNumber()
  @Min(0)
  @Max(60)
  wait?: number;
}

export class SendQuery extends WaitQuery {
  @IsOptional()
  @IsIn(['true', 'false'])
  requires_ack?: 'true' | 'false';
}

export class InboxQuery {
  @IsOptional()
  @IsIn(STATES)
  state?: ConfirmationState;

  @IsOptional()
  @IsString()
  task_id?: string;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number;

  @IsOptional()
  @IsString()
  cursor?: string;
}
