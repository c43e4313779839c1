/** `?wait=` for long polls, and `?requires_ack=` for messages that are kept until they are acknowledged. */
import { ApiPropertyOptional } from '../api-docs.js';
import { IsIn, IsNumber, IsOptional, Max, Min } from 'class-validator';
import { FromText } from '../decorators/checked-query.decorator.js';

const YES_OR_NO = ['true', 'false'];

export class WaitQueryDto {
  @ApiPropertyOptional({
    description: 'Seconds to wait for the result; a fraction is allowed.',
    minimum: 0,
    maximum: 60,
    default: 0,
  })
  @Max(60)
  @Min(0)
  @IsNumber()
  @IsOptional()
  @FromText()
  wait?: number;
}

export class SendQueryDto extends WaitQueryDto {
  @ApiPropertyOptional({
    type: String,
    enum: YES_OR_NO,
    description: 'Keep the message until one of the user’s devices acknowledges it.',
    default: 'false',
  })
  @IsIn(YES_OR_NO)
  @IsOptional()
  requires_ack?: 'true' | 'false';
}
