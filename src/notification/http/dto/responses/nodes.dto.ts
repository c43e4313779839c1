/** `GET /ws/nodes`. */
import { ApiProperty } from '../../api-docs.js';
import type { NodeCounts } from '../../../metrics/node-report.js';

const INTEGER = { type: 'integer' } as const;

export class TimesResponse {
  @ApiProperty({ ...INTEGER, description: 'How many were measured.' }) count!: number;
  @ApiProperty({ type: 'number', description: 'Their sum, in seconds.' }) sum!: number;
}

export class NodeResponse implements NodeCounts {
  @ApiProperty({ type: String, description: 'The name of the node.' }) node!: string;
  @ApiProperty({ ...INTEGER, description: 'Its processes.' }) workers!: number;
  @ApiProperty({ ...INTEGER, description: 'Live connections.' }) connections!: number;
  @ApiProperty({ ...INTEGER, description: 'Messages delivered to connections.' }) messages_sent!: number;
  @ApiProperty({ ...INTEGER, description: 'Frames received from clients.' }) frames_received!: number;
  @ApiProperty({ ...INTEGER, description: 'Errors sent to clients.' }) errors!: number;
  @ApiProperty({ ...INTEGER, description: 'Connections cut because their peer read too slowly.' }) slow_closes!: number;
  @ApiProperty({ ...INTEGER, description: 'Bytes that wait to be sent.' }) queue_bytes!: number;
  @ApiProperty({ ...INTEGER, description: 'Confirmations opened.' }) confirmations_opened!: number;
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'integer' },
    description: 'Decisions seen, by outcome. Every node sees every decision.',
  })
  confirmations_decided!: Record<string, number>;

  @ApiProperty({ type: () => TimesResponse, description: 'Round-trip times of pings.' }) round_trips!: TimesResponse;
  @ApiProperty({ type: () => TimesResponse, description: 'Times from a call to the sockets.' }) deliveries!: TimesResponse;
}

export class NodesResponse {
  @ApiProperty({ type: () => [NodeResponse], description: 'The nodes.' }) nodes!: NodeResponse[];
}
