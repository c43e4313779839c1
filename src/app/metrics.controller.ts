/** `GET /metrics` in Prometheus' text format: the module's registry and the process's own figures. */
import cluster from 'node:cluster';
import { Get, Res, ServiceUnavailableException } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { collectDefaultMetrics } from 'prom-client';
import { NotificationMetrics, Operation, RestController } from '../notification/index.js';
import { WorkerMetrics } from './worker-metrics.js';

/** How often the event loop's lag is looked at, which the figures include. prom-client's 10 ms cost a node that idles half of all it does. */
const EVENT_LOOP_SAMPLE_MS = 50;

@ApiTags('operations')
@RestController('metrics')
export class MetricsController {
  private readonly workers: WorkerMetrics | undefined;

  constructor(private readonly metrics: NotificationMetrics) {
    collectDefaultMetrics({ register: metrics.registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    if (cluster.isWorker) this.workers = new WorkerMetrics(metrics.registry);
  }

  @ApiOperation({ summary: 'Prometheus metrics' })
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: 'Prometheus’ text format.', schema: { type: 'string' } })
  @Get()
  @Operation('metrics.read')
  async read(@Res() response: Response): Promise<void> {
    const { registry } = this.metrics;
    const text = await (this.workers ? this.workers.read() : registry.metrics());
    if (text === undefined) throw new ServiceUnavailableException('a worker does not answer');
    response.setHeader('Content-Type', registry.contentType).send(text);
  }
}
