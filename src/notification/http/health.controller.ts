/** Liveness, readiness, and the health object of the old component. */
import { Controller, Get, Res, VERSION_NEUTRAL } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { totalsOf } from '../metrics/totals.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { NotificationService } from '../notification.service.js';
import { Date } from '../pacing/time-source.js';
import { ApiOperation, ApiProperty, ApiResponse, ApiTags } from './api-docs.js';
import type { Reply } from './exchange.js';
import { NotificationHealthIndicator } from './notification.health.js';

const count = { type: 'integer' } as const;
const TOTALS = {
  type: 'object',
  required: ['total_connections', 'failed_connections', 'messages_sent', 'messages_failed', 'avg_response_time'],
  properties: {
    total_connections: count,
    failed_connections: count,
    messages_sent: count,
    messages_failed: count,
    avg_response_time: { type: 'number', description: 'Seconds from a prompt to its answer; 0 before the first.' },
  },
} as const;

class LiveResponse {
  @ApiProperty({ type: String, enum: ['ok'] })
  status!: string;
}

class UnreadyResponse {
  @ApiProperty({ type: String, enum: ['error'] })
  status!: string;

  @ApiProperty({ type: String, enum: ['draining', 'the engine is unreachable'] })
  reason!: string;
}

class HealthResponse {
  @ApiProperty({ type: String, enum: ['healthy', 'unhealthy'] })
  status!: string;

  @ApiProperty({ ...count, description: 'Connections of this node, all its workers together.' })
  active_connections!: number;

  @ApiProperty({ ...count, nullable: true, description: 'Prompts that wait for a decision; `null` while that cannot be read.' })
  pending_callbacks!: number | null;

  @ApiProperty({ ...TOTALS, required: true as never, description: 'Since the start of this node.' })
  metrics!: object;

  @ApiProperty({ type: Number, description: 'Unix seconds, with a fraction.' })
  timestamp!: number;
}

@ApiTags('operations')
@Controller({ version: VERSION_NEUTRAL })
export class HealthController {
  constructor(
    protected readonly service: NotificationService,
    protected readonly metrics: NotificationMetrics,
    protected readonly indicator: NotificationHealthIndicator,
  ) {}

  /** Liveness: the process answers. */
  @ApiOperation({ summary: 'Whether the process answers' })
  @ApiResponse({ status: 200, type: LiveResponse, description: 'It does.' })
  @Get('health/live')
  live(): object {
    return { status: 'ok' };
  }

  /** Readiness: 503 while the node drains and while the engine is unreachable. */
  @ApiOperation({ summary: 'Whether new connections and prompts are taken' })
  @ApiResponse({ status: 200, type: LiveResponse, description: 'They are.' })
  @ApiResponse({ status: 503, type: UnreadyResponse, description: 'Not now.' })
  @Get('health/ready')
  async ready(@Res({ passthrough: true }) response: Reply): Promise<object> {
    const problem = await this.indicator.problem();
    if (problem === undefined) return { status: 'ok' };
    response.status(503);
    return { status: 'error', reason: problem };
  }

  /** The health object of the old component, with its field names. */
  @ApiOperation({ summary: 'The old component’s health object' })
  @ApiResponse({ status: 200, type: HealthResponse, description: 'Healthy or not.' })
  @Get('ws/health')
  async health(): Promise<object> {
    const problem = await this.indicator.problem();
    const { connections, ...totals } = await totalsOf(await this.registry());
    const pending = problem === undefined ? (await this.service.getStatus()).pendingCallbacks : null;
    return {
      status: problem === undefined ? 'healthy' : 'unhealthy',
      active_connections: connections,
      pending_callbacks: pending,
      metrics: totals,
      timestamp: Date.now() / 1000,
    };
  }

  /** The figures of the node. */
  protected registry(): Promise<Registry> {
    return Promise.resolve(this.metrics.registry);
  }
}
