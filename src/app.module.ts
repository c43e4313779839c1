/** The stand-alone API service: the notification module on the environment's settings, health, metrics. */
import { Module, type DynamicModule } from '@nestjs/common';
import type { AppConfig } from './app/app.config.js';
import { NotificationModule } from './notification/index.js';
import { Logs } from './app/logs.js';
import { HealthController } from './app/health.controller.js';
import { MetricsController } from './app/metrics.controller.js';

@Module({})
export class AppModule {
  static forConfig(config: Readonly<AppConfig>, logs: Logs): DynamicModule {
    return {
      module: AppModule,
      imports: [NotificationModule.forRoot({ audit: logs.audit, ...config.notification })],
      controllers: [HealthController, MetricsController],
      providers: [{ provide: Logs, useValue: logs }],
    };
  }
}
