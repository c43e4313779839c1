/** The fields of `subscribe` and `unsubscribe`. Unknown fields of a frame are ignored, since old clients send some. */
import { ArrayMaxSize, ArrayMinSize, IsArray, IsInt, IsObject, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import { of } from '../../validation/rule-reader.js';
import { IsIdentifier } from '../../validation/field-rules.js';

/** Subscriptions that one frame may ask for. */
const MAX_CHANNELS = 32;

export class PositionDto {
  @IsString()
  epoch!: string;

  @IsInt()
  @Min(0)
  offset!: number;
}

export class ChannelDto {
  @IsIdentifier()
  channel!: string;

  @IsOptional()
  @IsObject()
  @ValidateNested(of(PositionDto))
  recover?: PositionDto | null;
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
  @ValidateNested(of(ChannelDto))
  channels?: ChannelDto[] | null;

  @IsOptional()
  @IsObject()
  @ValidateNested(of(PositionDto))
  recover?: PositionDto | null;
}
