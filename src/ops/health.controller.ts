/** Is the node alive, is it ready for work, and the old component's health object. */
import { Controller, Get, Logger, Res } from '@nestjs/common';
import type { Response } from 'express';
import { NotificationMetrics, NotificationService } from '../notification/index.js';

@Controller()
export class HealthController {
  private readonly logger = new Logger(HealthController.name);

  constructor(
    private readonly service: NotificationService,
    private readonly metrics: NotificationMetrics,
  ) {}

  /** The process answers. */
  @Get('health/live')
  live(): object {
    return { status: 'ok' };
  }

  /** New connections and prompts are taken: 503 while draining and while the engine is unreachable. */
  @Get('health/ready')
  async ready(@Res({ passthrough: true }) response: Response): Promise<object> {
    const problem = await this.problem();
    if (problem === undefined) return { status: 'ok' };
    response.status(503);
    return { status: 'error', reason: problem };
  }

  /** The old component's object, with its names. */
  @Get('ws/health')
  async health(): Promise<object> {
    const problem = await this.problem();
    const pending = problem === undefined ? (await this.service.getStatus()).pendingCallbacks : null;
    return {
      status: problem === undefined ? 'healthy' : 'unhealthy',
      active_connections: this.service.getConnectionCount(),
      pending_callbacks: pending,
      metrics: await this.metrics.totals(),
      timestamp: Date.now() / 1000,
    };
  }

  private async problem(): Promise<string | undefined> {
    try {
      await this.service.checkReady();
      return undefined;
    } catch (error) {
      this.logger.debug(`not ready: ${String(error)}`);
      return this.service.accepting ? 'the engine is unreachable' : 'draining';
    }
  }
}
