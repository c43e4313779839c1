/**
 * The fields of each action's frame, checked by class-validator. Unknown fields are ignored: old clients send some.
 */
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { HasNoNul, IsIdentifier } from '../validation.js';
import type { NestedContext } from '../rules.js';
import type { JsonObject } from '../../protocol/confirmation.js';

const Nested = (nested: new () => object): PropertyDecorator => ValidateNested({ context: { nested } satisfies NestedContext });

/** As many subscriptions one frame may ask for. */
const MAX_CHANNELS = 32;

export class PositionFields {
  @IsString()
  epoch!: string;

  @IsInt()
  @Min(0)
  offset!: number;
}

export class ChannelFields {
  @IsIdentifier()
  channel!: string;

  @IsOptional()
  @IsObject()
  @Nested(PositionFields)
  recover?: PositionFields | null;
}

/** `subscribe` and `unsubscribe`: exactly one of the three targets, a user and a task, or several channels. */
export class SubscribeDto {
  @IsOptional()
  @IsIdentifier()
  user_id?: string;

  @IsOptional()
  @IsIdentifier()
  task_id?: string;

  @IsOptional()
  @IsIdentifier()
  channel?: string;

  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_CHANNELS)
  @Nested(ChannelFields)
  channels?: ChannelFields[] | null;

  @IsOptional()
  @IsObject()
  @Nested(PositionFields)
  recover?: PositionFields | null;
}

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

  @IsOptional()
  @IsString()
  digest?: string | null;
}

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

export class AckDto {
  @IsIdentifier()
  message_id!: string;
}

export class AuthenticateDto {
  @IsString()
  @IsNotEmpty()
  token!: string;
}

export class PendingDto {
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number | null;

  @IsOptional()
  @IsString()
  cursor?: string | null;
}
