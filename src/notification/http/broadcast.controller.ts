/** `POST /ws/broadcast`: a message to every connection. */
import { HttpCode, Post } from '@nestjs/common';
import { ApiTags } from './api-docs.js';
import type { ApplicationMessage } from '../../protocol/messages.js';
import { NotificationService } from '../notification.service.js';
import { ApiDocs } from './decorators/api-docs.decorator.js';
import { JsonBody } from './decorators/json-body.decorator.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import { DeliveryResponse } from './dto/responses/delivery.dto.js';

@ApiTags('messages')
@RestController('ws/broadcast')
export class BroadcastController {
  constructor(private readonly service: NotificationService) {}

  @ApiDocs({
    summary: 'Send a message to every connection',
    answers: { 202: { type: DeliveryResponse, description: 'Sent.' } },
    errors: ['INVALID_JSON', 'STORE_FULL'],
  })
  @Post()
  @RequirePermission('broadcast.send')
  @HttpCode(202)
  async send(@JsonBody() message: object): Promise<DeliveryResponse> {
    const { deliveredTo } = await this.service.broadcastMessage(message as ApplicationMessage);
    return { delivered_to: deliveredTo };
  }
}
