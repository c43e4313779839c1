/** `GET /ws/status`: this node and the whole cluster. */
import { Get } from '@nestjs/common';
import { ApiTags } from './api-docs.js';
import { NotificationService } from '../notification.service.js';
import { ApiDocs } from './decorators/api-docs.decorator.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import { StatusResponse } from './dto/responses/status.dto.js';

@ApiTags('messages')
@RestController('ws/status')
export class StatusController {
  constructor(private readonly service: NotificationService) {}

  @ApiDocs({
    summary: 'This node and the whole cluster',
    answers: { 200: { type: StatusResponse, description: 'The state.' } },
  })
  @Get()
  @RequirePermission('status.read')
  async read(): Promise<StatusResponse> {
    const { cluster, quality, ...status } = await this.service.getStatus();
    return {
      running: status.running,
      host: status.host,
      port: status.port,
      active_connections: status.activeConnections,
      pending_callbacks: status.pendingCallbacks,
      unacknowledged_messages: status.unacknowledgedMessages,
      quality: {
        round_trip_time: quality.roundTripSeconds,
        round_trip_spread: quality.roundTripSpreadSeconds,
        queue_bytes: quality.queueBytes,
        reconnects: quality.reconnects,
      },
      cluster: { engine: cluster.engine, nodes: cluster.nodes, active_connections: cluster.activeConnections },
    };
  }
}
