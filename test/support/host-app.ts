/** A Nest app with packages that Jest cannot load beside Nest 12: a throttler for all routes, and Terminus. Prints its port. */
import 'reflect-metadata';
import type { Server } from 'node:http';
import { Controller, Get, Module } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { portOf } from '../../src/app/app.js';
import { NotificationHealthIndicator, NotificationModule } from '../../src/notification/index.js';

@SkipThrottle()
@Controller('health')
class AppHealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly notifications: NotificationHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.notifications.isHealthy('notifications')]);
  }
}

@Module({
  imports: [
    NotificationModule.forRoot({ dataDir: ':memory:', drainTimeoutMs: 0 }),
    ThrottlerModule.forRoot([{ ttl: 60_000, limit: 2 }]),
    TerminusModule,
  ],
  controllers: [AppHealthController],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})
class HostAppModule {}

const app = await NestFactory.create(HostAppModule, { logger: false });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
process.stdout.write(`${portOf(app.getHttpServer() as Server)}\n`);
