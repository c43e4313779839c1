/** The number of connections that a message has reached. */
import { ApiProperty, ApiPropertyOptional } from '../../api-docs.js';

export class DeliveryResponse {
  @ApiProperty({ type: 'integer', description: 'Connections reached, over all nodes; an estimate.' })
  delivered_to!: number;
}

export class MessageResponse extends DeliveryResponse {
  @ApiPropertyOptional({ type: String, description: 'With `requires_ack=true`.' })
  message_id?: string;

  @ApiPropertyOptional({ type: Boolean, description: 'With `wait`: whether one of the user’s devices acknowledged in time.' })
  acknowledged?: boolean;
}
