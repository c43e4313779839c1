/** `GET /metrics` in Prometheus' text format: the module's registry and the process's own figures. */
import { Get, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { RequirePermission, RestController } from '../notification/index.js';
import { NodeMetrics } from './node-metrics.js';

@ApiTags('operations')
@RestController('metrics')
export class MetricsController {
  constructor(private readonly metrics: NodeMetrics) {}

  @ApiOperation({ summary: 'Prometheus metrics' })
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: 'Prometheus’ text format.', schema: { type: 'string' } })
  @Get()
  @RequirePermission('metrics.read')
  async read(@Res() response: Response): Promise<void> {
    const registry = await this.metrics.read();
    response.setHeader('Content-Type', registry.contentType).send(await registry.metrics());
  }
}
