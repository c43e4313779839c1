/**
 * Reports the module's health to `@nestjs/terminus` or to any other health check of an application.
 *
 * @example
 * this.health.check([() => this.notifications.isHealthy('notifications')]);
 */
import { Injectable, Logger } from '@nestjs/common';
import { NotificationService } from '../notification.service.js';

export type HealthStatus = { status: 'up' } | { status: 'down'; reason: string };

@Injectable()
export class NotificationHealthIndicator {
  private readonly logger = new Logger(NotificationHealthIndicator.name);

  constructor(private readonly service: NotificationService) {}

  /** `up` while connections and confirmations are taken; `down` while draining and while the engine is unreachable. */
  async isHealthy<Key extends string>(key: Key): Promise<Record<Key, HealthStatus>> {
    const reason = await this.problem();
    const status: HealthStatus = reason === undefined ? { status: 'up' } : { status: 'down', reason };
    return { [key]: status } as Record<Key, HealthStatus>;
  }

  /** @returns `undefined` when there is none */
  async problem(): Promise<string | undefined> {
    try {
      await this.service.checkReady();
      return undefined;
    } catch (error) {
      this.logger.debug(`not ready: ${String(error)}`);
      return this.service.accepting ? 'the engine is unreachable' : 'draining';
    }
  }
}
