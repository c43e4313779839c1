/** The stand-alone API service: the notification module on the environment's settings, health, metrics. */
import { Module, type DynamicModule } from '@nestjs/common';
import type { AppConfig } from './app.config.js';
import { NotificationModule } from './notification/index.js';
import { HealthController } from './ops/health.controller.js';
import { MetricsController } from './ops/metrics.controller.js';

@Module({})
export class AppModule {
  static forConfig(config: Readonly<AppConfig>): DynamicModule {
    return {
      module: AppModule,
      imports: [NotificationModule.forRoot(config.notification)],
      controllers: [HealthController, MetricsController],
    };
  }
}
