/** `GET /metrics` in Prometheus' text format. */
import { Get, Header } from '@nestjs/common';
import { Registry } from 'prom-client';
import { NotificationMetrics } from '../notification.metrics.js';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from './api-docs.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';

@ApiTags('operations')
@RestController('metrics')
export class MetricsController {
  constructor(protected readonly metrics: NotificationMetrics) {}

  @ApiOperation({ summary: 'Prometheus metrics' })
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: 'Prometheus’ text format.', schema: { type: 'string' } })
  @Get()
  @RequirePermission('metrics.read')
  @Header('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE)
  async read(): Promise<string> {
    return (await this.registry()).metrics();
  }

  /** The figures of the node. */
  protected registry(): Promise<Registry> {
    return Promise.resolve(this.metrics.registry);
  }
}
