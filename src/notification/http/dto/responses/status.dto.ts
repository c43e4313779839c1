/** `GET /ws/status`. */
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';

export class ClusterResponse {
  @ApiProperty({ type: String, description: 'embedded or redis.' })
  engine!: string;

  @ApiProperty({ type: 'integer', description: 'Nodes that run.' })
  nodes!: number;

  @ApiProperty({ type: 'integer', description: 'Connections of all nodes.' })
  active_connections!: number;
}

export class QualityResponse {
  @ApiPropertyOptional({ type: Number, description: 'Seconds from a ping to its pong: a mean over the live connections.' })
  round_trip_time?: number;

  @ApiPropertyOptional({ type: Number, description: 'How much that time varies, in seconds: a mean over the live connections.' })
  round_trip_spread?: number;

  @ApiProperty({ type: 'integer', description: 'Bytes that wait to be sent in all connections.' })
  queue_bytes!: number;

  @ApiProperty({
    type: 'integer',
    description: 'How often users came back within a minute after a connection had ended, since the start.',
  })
  reconnects!: number;
}

export class StatusResponse {
  @ApiProperty({ type: Boolean, description: 'Whether this node takes connections.' })
  running!: boolean;

  @ApiProperty({ type: String, description: 'The address it listens on, as set.' })
  host!: string;

  @ApiProperty({ type: 'integer', description: 'The port, as set.' })
  port!: number;

  @ApiProperty({ type: 'integer', description: 'Connections of this node.' })
  active_connections!: number;

  @ApiProperty({ type: 'integer', description: 'Prompts that wait for a decision.' })
  pending_callbacks!: number;

  @ApiProperty({ type: 'integer', description: 'Messages that wait for an acknowledgement.' })
  unacknowledged_messages!: number;

  @ApiProperty({ type: () => QualityResponse, description: 'How well the connections of this node work.' })
  quality!: QualityResponse;

  @ApiProperty({ type: () => ClusterResponse, description: 'All nodes together.' }) cluster!: ClusterResponse;
}
