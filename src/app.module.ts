/** The stand-alone API service: the notification module on the environment's settings, health, metrics. */
import { Module, type DynamicModule } from '@nestjs/common';
import type { AppConfig } from './app/app.config.js';
import { NotificationModule } from './notification/index.js';
import { SERVICE_EXPORTS } from './notification/service-door.js';
import { Logs } from './app/logs.js';
import { NodeMetrics } from './app/node-metrics.js';
import { PrimaryLink } from './app/primary-link.js';
import { WorkerPlaces } from './app/worker-places.js';
import { NodeHealthController, NodeMetricsController } from './app/node.controllers.js';

@Module({})
export class AppModule {
  /** @param link in a worker: to the process that started it */
  static forConfig(config: Readonly<AppConfig>, logs: Logs, link?: PrimaryLink): DynamicModule {
    const workerGroup = link && new WorkerPlaces(link);
    const notification = NotificationModule.forRoot({
      audit: logs.audit,
      workerGroup,
      docs: config.docs,
      ...config.notification,
    });
    return {
      module: AppModule,
      imports: [{ ...notification, exports: SERVICE_EXPORTS }],
      controllers: [NodeHealthController, NodeMetricsController],
      providers: [
        { provide: Logs, useValue: logs },
        { provide: PrimaryLink, useValue: link },
        { provide: WorkerPlaces, useValue: workerGroup },
        NodeMetrics,
      ],
    };
  }
}
