/** Responses of the routes of one user. */
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';
import { MOMENT } from '../schemas.js';

export class DeviceResponse {
  @ApiProperty({ type: String, description: 'The node that it is connected to.' })
  node!: string;

  @ApiProperty({ type: Number, description: `When it connected. ${MOMENT}` })
  since!: number;

  @ApiProperty({ type: String, description: 'Where it connects from.' })
  address!: string;

  @ApiPropertyOptional({ type: Number, description: 'Seconds between a ping and its pong; absent before the first.' })
  round_trip_time?: number;

  @ApiPropertyOptional({ type: Number, description: 'How much that time varies, in seconds; absent before the second pong.' })
  round_trip_spread?: number;

  @ApiPropertyOptional({ type: 'integer', description: 'Bytes that waited to be sent, at most a minute ago.' })
  queue_bytes?: number;
}

export class PresenceResponse {
  @ApiProperty({ type: String, description: 'The user.' })
  user_id!: string;

  @ApiProperty({ type: Boolean, description: 'Whether there is a connection.' })
  online!: boolean;

  @ApiProperty({ type: 'integer', description: 'Connections on all nodes.' })
  connections!: number;

  @ApiProperty({
    type: 'integer',
    description:
      'How often the user came back within a minute after a connection had ended. Counting begins again after an hour.',
  })
  reconnects!: number;

  @ApiProperty({ type: [DeviceResponse], description: 'The connections, oldest first.' }) devices!: DeviceResponse[];
}

export class RevocationResponse {
  @ApiProperty({ type: String, description: 'The user.' })
  user_id!: string;

  @ApiProperty({ type: Number, description: `Tokens issued until then are refused. ${MOMENT}` })
  revoked_at!: number;
}

export class ReviewResponse {
  @ApiProperty({ type: String, description: 'The user.' })
  user_id!: string;
}
