/** Health and metrics of the whole node: of all workers that share its port. */
import { Controller, VERSION_NEUTRAL } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { NotificationHealthIndicator, NotificationService } from '../notification/index.js';
import { HealthController, MetricsController, NotificationMetrics, RestController } from '../notification/service-door.js';
import { NodeMetrics } from './node-metrics.js';

@Controller({ version: VERSION_NEUTRAL })
export class NodeHealthController extends HealthController {
  constructor(
    service: NotificationService,
    metrics: NotificationMetrics,
    indicator: NotificationHealthIndicator,
    private readonly node: NodeMetrics,
  ) {
    super(service, metrics, indicator);
  }

  protected override registry(): Promise<Registry> {
    return this.node.read();
  }
}

@RestController('metrics')
export class NodeMetricsController extends MetricsController {
  constructor(
    metrics: NotificationMetrics,
    private readonly node: NodeMetrics,
  ) {
    super(metrics);
  }

  protected override registry(): Promise<Registry> {
    return this.node.read();
  }
}
