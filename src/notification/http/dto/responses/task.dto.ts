/** What the routes of one task answer. */
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';
import { MOMENT } from '../schemas.js';

export class TaskResponse {
  @ApiProperty({ type: String, description: 'The task.' })
  task_id!: string;

  @ApiProperty({ type: String, description: 'Whose it is; `null` while back-end code has named nobody.', nullable: true })
  user_id!: string | null;

  @ApiProperty({ type: Boolean, description: 'Whether it was cancelled, and not resumed.' })
  cancelled!: boolean;

  @ApiPropertyOptional({ type: Number, description: MOMENT })
  cancelled_at?: number;

  @ApiPropertyOptional({ type: String, description: 'Why, in words.' })
  reason?: string;
}

export class HeartbeatResponse {
  @ApiProperty({ type: String, description: 'Who is told.' })
  user_id!: string;

  @ApiProperty({ type: String, description: 'The task.' })
  task_id!: string;

  @ApiProperty({ type: Number, description: 'Seconds between heartbeats.' })
  interval!: number;

  @ApiProperty({ type: Number, description: 'Seconds until the lease ends.' })
  ttl!: number;
}
