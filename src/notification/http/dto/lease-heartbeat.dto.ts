/** The body of `POST /ws/tasks/:task_id/heartbeat`. */
import { ApiProperty, ApiPropertyOptional } from '../api-docs.js';
import { IsNumber, IsOptional, IsPositive, Max } from 'class-validator';
import { MAX_IDENTIFIER_LENGTH } from '../../../protocol/identifier.js';
import { IsIdentifier } from '../../validation/field-rules.js';
import { SECONDS } from './schemas.js';

const MAX_LEASE_S = 86_400;

export class LeaseHeartbeatDto {
  @ApiProperty({ description: 'The user who gets the heartbeats.', minLength: 1, maxLength: MAX_IDENTIFIER_LENGTH })
  @IsIdentifier()
  user_id!: string;

  @ApiPropertyOptional({ ...SECONDS, description: 'Seconds between heartbeats.', default: 30 })
  @IsPositive()
  @IsNumber()
  @IsOptional()
  interval?: number;

  @ApiPropertyOptional({
    ...SECONDS,
    description: 'Seconds until the lease ends unless it is renewed.',
    default: 300,
    maximum: MAX_LEASE_S,
  })
  @Max(MAX_LEASE_S)
  @IsPositive()
  @IsNumber()
  @IsOptional()
  ttl?: number;
}
