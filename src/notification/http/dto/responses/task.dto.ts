/** Responses of the routes of one task. */
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';
import { MOMENT } from '../schemas.js';

export class TaskResponse {
  @ApiProperty({ type: String, description: 'The task.' })
  task_id!: string;

  @ApiProperty({ type: String, description: 'The task’s user; `null` until back-end code names one.', nullable: true })
  user_id!: string | null;

  @ApiProperty({ type: Boolean, description: 'Whether it was cancelled, and not resumed.' })
  cancelled!: boolean;

  @ApiPropertyOptional({ type: Number, description: MOMENT })
  cancelled_at?: number;

  @ApiPropertyOptional({ type: String, description: 'Why, in words.' })
  reason?: string;
}

export class HeartbeatResponse {
  @ApiProperty({ type: String, description: 'The user who gets the heartbeats.' })
  user_id!: string;

  @ApiProperty({ type: String, description: 'The task.' })
  task_id!: string;

  @ApiProperty({ type: Number, description: 'Seconds between heartbeats.' })
  interval!: number;

  @ApiProperty({ type: Number, description: 'Seconds until the lease ends.' })
  ttl!: number;
}
