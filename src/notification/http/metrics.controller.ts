/** `GET /metrics` in Prometheus' text format, or in OpenMetrics for a reader that prefers it. */
import { Get, Headers, Res } from '@nestjs/common';
import { Registry } from 'prom-client';
import { openMetrics, prefersOpenMetrics } from '../metrics/open-metrics.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from './api-docs.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import type { HeaderReply } from './exchange.js';

@ApiTags('operations')
@RestController('metrics')
export class MetricsController {
  constructor(protected readonly metrics: NotificationMetrics) {}

  @ApiOperation({ summary: 'Prometheus metrics' })
  @ApiProduces('text/plain', 'application/openmetrics-text')
  @ApiResponse({
    status: 200,
    description: 'Prometheus’ text format; OpenMetrics, with exemplars, where `Accept` prefers it.',
    schema: { type: 'string' },
  })
  @Get()
  @RequirePermission('metrics.read')
  async read(@Headers('accept') accept: string | undefined, @Res({ passthrough: true }) response: HeaderReply): Promise<string> {
    const registry = await this.registry();
    const isOpen = prefersOpenMetrics(accept);
    const text = await (isOpen ? openMetrics(registry) : registry.metrics());
    response.header('Content-Type', isOpen ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE);
    response.header('Vary', 'Accept');
    return text;
  }

  /** The figures of the node. */
  protected registry(): Promise<Registry> {
    return Promise.resolve(this.metrics.registry);
  }
}
