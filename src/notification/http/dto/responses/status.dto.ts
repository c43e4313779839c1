/** `GET /ws/status`. */
import { ApiProperty } from '../../api-docs.js';

export class ClusterResponse {
  @ApiProperty({ type: String, description: 'embedded or redis.' })
  engine!: string;

  @ApiProperty({ type: 'integer', description: 'Nodes that run.' })
  nodes!: number;

  @ApiProperty({ type: 'integer', description: 'Connections of all nodes.' })
  active_connections!: number;
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

  @ApiProperty({ type: () => ClusterResponse, description: 'All nodes together.' }) cluster!: ClusterResponse;
}
